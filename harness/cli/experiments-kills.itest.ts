/**
 * What takes too long for every test run: a run is killed, and interrupted, in the middle of each experiment that acts on its
 * hops, with hops ended, standing still or up more than once. Nothing is left after it.
 */
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, vi } from 'vitest'
import { findGroups } from '../../infra/platforms/local/groups.js'
import { experiments } from '../../scenarios/experiments/index.js'
import { noPage, smallConfig, type Workspace } from '../testing/cli.js'
import { processesOf } from '../testing/processes.js'
import { trialsOf } from '../testing/trials.js'
import { test } from '../testing/workspace-test.js'

const extended = process.env.MESHBENCH_TEST_EXTENDED === '1'
if (!extended) console.log('skipped: MESHBENCH_TEST_EXTENDED is not 1 (several minutes)')

/** Those that need no action of their own are killed in the middle by other tests. */
const older = ['latency', 'capacity', 'sweep', 'saturation', 'connect', 'stream']
const acting = Object.keys(experiments).filter((name) => !older.includes(name))
const soon = { timeout: 120_000, interval: 5 }

/** A run in the middle of an experiment: some trial is done, and the generator of another is there. */
async function inTheMiddle(workspace: Workspace, experiment: string) {
  workspace.writeConfig({
    ...smallConfig,
    arms: { reference: ['l7-per-node', 'l7-sidecar-to-sidecar'] },
    experiments: { [experiment]: {} },
    rounds: { min: 20, max: 20 },
  })
  const running = workspace.startMeshbench(
    'run',
    '--out',
    'out',
    '--profile',
    'smoke',
    '--experiment',
    experiment,
    ...noPage,
  )
  const drained = (async () => {
    for await (const line of running.lines) void line
  })()
  // The file is there before its first line is.
  const { runId } = await vi.waitFor(() => workspace.journal('out').header, soon)
  await expect.poll(() => trialsOf(workspace.journal('out').entries).length, soon).toBeGreaterThan(1)
  const isLoaded = () => processesOf(runId).some(({ command }) => command.includes('loadgen'))
  await expect.poll(isLoaded, soon).toBe(true)
  return { running, drained, runId }
}

async function leftOf(runId: string) {
  const folders = readdirSync(tmpdir()).filter((name) => name.includes(runId))
  return [processesOf(runId), await findGroups(runId), folders]
}

describe.skipIf(!extended).each(acting)('%s', (experiment) => {
  test('killed in the middle, clean leaves nothing', { timeout: 300_000 }, async ({ workspace }) => {
    const { running, drained, runId } = await inTheMiddle(workspace, experiment)
    running.kill('SIGKILL')
    await Promise.all([running.exited, drained])
    const cleaned = await workspace.meshbench('clean', runId)
    expect([cleaned.stderr, cleaned.code]).toEqual(['', 0])
    expect(await leftOf(runId)).toEqual([[], [], []])
  })

  test('interrupted in the middle, clean finds nothing', { timeout: 300_000 }, async ({ workspace }) => {
    const { running, drained, runId } = await inTheMiddle(workspace, experiment)
    process.kill(running.pid ?? 0, 'SIGINT')
    const [{ code }] = await Promise.all([running.exited, drained])
    expect(code).toBe(130)
    expect(await leftOf(runId)).toEqual([[], [], []])
    const cleaned = await workspace.meshbench('clean', runId)
    expect(cleaned.stdout).toBe(`nothing is left of run ${runId}\n`)
  })
})
