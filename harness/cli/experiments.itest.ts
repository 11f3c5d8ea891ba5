/** Whole runs of experiments that act on hops while load runs, through the real command line. */
import { expect } from 'vitest'
import type { Trial } from '../model.js'
import { createWorkspace, noPage, smallConfig } from '../testing/cli.js'
import { processesOf } from '../testing/processes.js'
import { lastAttempts } from '../testing/trials.js'
import { runUnits } from '../testing/units.js'
import { test } from '../testing/workspace-test.js'
import { tryQuota } from '../../infra/platforms/local/quota.js'

const window = { warmupMs: 50, durationMs: 300, connections: 4 }
const kill = { ...window, durationMs: 600, killAtMs: 100, backAtMs: 200, workloads: 2, ratePerSecond: 100 }
const config = {
  ...smallConfig,
  arms: { reference: ['l7-per-node'] },
  experiments: {
    isolation: { ...window, ratePerSecond: 50, neighbour: { ratePerSecond: 20, payloadBytes: 65_536 } },
    'blast-radius': kill,
    pauses: { ...window, ratePerSecond: 100, pauseMs: 50, everyMs: 300 },
  },
  rounds: { min: 1, max: 1 },
}

/** What was done to hops, and to which trial. */
const deeds = (trials: readonly Trial[]) =>
  trials.flatMap(({ cell, events = [] }) => events.map(({ action, problem }) => [cell, action, problem]))

test('hops are killed, paused and shared with a neighbour, and nothing of it is left', async ({
  workspace,
}) => {
  workspace.writeConfig(config)
  const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage)
  expect([code, stderr]).toEqual([0, ''])
  const { entries, header } = workspace.journal('out')
  const trials = lastAttempts(entries)
  expect(trials.map(({ cell, state, error }) => [cell, state, error?.message])).toEqual(
    trials.map(({ cell }) => [cell, 'ok', undefined]),
  )
  expect(trials).toHaveLength(header.plan.order.length)
  const done = deeds(trials)
  expect(done.every(([, , problem]) => problem === undefined)).toBe(true)
  for (const action of ['kill node-proxy', 'start node-proxy', 'pause node-proxy', 'resume node-proxy'])
    expect(done.map(([, name]) => name)).toEqual(expect.arrayContaining([action, `${action} of the spare`]))
  const killed = trials.find(({ cell }) => cell.includes('|a hop is killed'))
  expect(killed?.load?.slices?.workloads.map(({ failed }) => failed.some((count) => count > 0))).toEqual([
    true,
    true,
  ])
  expect(processesOf(header.runId)).toEqual([])
})

test('the claims are listed with what decides them and what the last run says', async () => {
  const workspace = createWorkspace()
  workspace.writeConfig({ ...config, outDir: 'none-yet' })
  const { stdout, code } = await workspace.meshbench('claims', '--json')
  expect(code).toBe(0)
  const rows = JSON.parse(stdout) as { id: string; experiments: { name: string; estimateMs?: number }[] }[]
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 12 }, (_, index) => `C${index + 1}`))
  expect(rows[5]?.experiments).toEqual([{ name: 'blast-radius', estimateMs: expect.any(Number) as number }])
  const text = (await workspace.meshbench('claims')).stdout
  expect(text).toMatch(
    /^C11 .*\n.*\n {4}to decide it: .*a real JVM, which the mesh finagle is.*\n +meshbench run --experiment pauses --blocks 3 --arm finagle\/l7-per-node reference\/l7-sidecar-to-sidecar$/m,
  )
  workspace.remove()
})

test('units of L7 carry a load together, sidecars with an application each, and nothing of them is left', async ({
  workspace,
}) => {
  const [unmet] = await tryQuota()
  if (unmet) console.log(`without limits of CPU: ${unmet.found}`)
  const { runId } = await runUnits(workspace, 'local', unmet === undefined)
  expect(processesOf(runId)).toEqual([])
})
