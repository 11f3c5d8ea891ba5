/**
 * What takes too long for every test run: Meshbench is killed at ten instants while it sets up and at ten while it
 * measures, and nothing is left after `clean`; a run of 300 trials holds no more at its end than at its beginning.
 */
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect } from 'vitest'
import { run } from '../../../harness/process/exec.js'
import { noPage, smallConfig, type Workspace } from '../../../harness/testing/cli.js'
import { processesOf } from '../../../harness/testing/processes.js'
import { trialsOf } from '../../../harness/testing/trials.js'
import { test } from '../../../harness/testing/workspace-test.js'
import { findGroups } from '../local/groups.js'
import { tryPrivilege } from './namespaces.js'

const extended = process.env.MESHBENCH_TEST_EXTENDED === '1'
const reason = extended ? await tryPrivilege('own') : 'MESHBENCH_TEST_EXTENDED is not 1 (many minutes)'
if (reason !== undefined) console.log(`skipped: ${reason}`)

const arms = { reference: ['l4-only', 'l7-per-node'], nftables: ['l4-kernel'] }
const waitMs = 240_000
const soon = { timeout: waitMs, interval: 10 }

/** Network namespaces that these processes are in, other than this one's. */
function namespacesOf(pids: readonly (number | string)[]): ReadonlySet<string> {
  const here = readlinkSync('/proc/self/ns/net')
  const found = pids.flatMap((pid) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/net`)]
    } catch {
      return [] // It ended in between.
    }
  })
  return new Set(found.filter((name) => name !== here))
}

const everyPid = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name))
const pidsOf = (runId: string) => processesOf(runId).map(({ pid }) => pid)

/** Starts a run, kills it once `isDue` says so, cleans up, and looks for what is left. */
async function killAndClean(
  workspace: Workspace,
  out: string,
  isDue: (runId: string, trials: number) => boolean,
): Promise<void> {
  const running = workspace.startMeshbench('run', '--out', out, ...noPage)
  const drained = (async () => {
    for await (const line of running.lines) void line
  })()
  try {
    await expect.poll(() => existsSync(workspace.path(`${out}/journal.jsonl`)), soon).toBe(true)
    const due = () => {
      const { header, entries } = workspace.journal(out)
      return isDue(header.runId, trialsOf(entries).length)
    }
    await expect.poll(due, soon).toBe(true)
  } finally {
    running.kill('SIGKILL')
    await Promise.all([running.exited, drained])
  }
  const { runId } = workspace.journal(out).header
  const namespaces = namespacesOf(pidsOf(runId))
  const cleaned = await workspace.meshbench('clean', runId)
  expect([cleaned.stderr, cleaned.code]).toEqual(['', 0])
  expect(processesOf(runId)).toEqual([])
  const left = namespacesOf(everyPid())
  expect([...namespaces].filter((name) => left.has(name))).toEqual([])
  expect(await findGroups(runId)).toEqual([])
  expect(readdirSync(tmpdir()).filter((name) => name.includes(runId))).toEqual([])
}

describe.skipIf(reason !== undefined)('kills and leaks', () => {
  test(
    'killed at ten instants of its set-up, it leaves nothing',
    { timeout: 1_800_000 },
    async ({ workspace }) => {
      workspace.writeConfig({ ...smallConfig, arms, platform: 'netns' })
      for (let instant = 0; instant < 10; instant++)
        await killAndClean(
          workspace,
          `set-up-${instant}`,
          // From the first process of a namespace to the last hop; the first trial ends what is set up.
          (runId, trials) => trials > 0 || processesOf(runId).length > 2 * instant,
        )
    },
  )

  test(
    'killed at ten instants of its rounds, it leaves nothing',
    { timeout: 1_800_000 },
    async ({ workspace }) => {
      workspace.writeConfig({ ...smallConfig, arms, platform: 'netns' })
      for (let instant = 0; instant < 10; instant++)
        await killAndClean(
          workspace,
          `rounds-${instant}`,
          (runId, trials) =>
            trials > instant ||
            (trials === instant && processesOf(runId).some(({ command }) => command.includes('open-loop'))),
        )
    },
  )

  test('300 trials later it holds what it held', { timeout: 1_800_000 }, async ({ workspace }) => {
    const latency = { ratesPerSecond: [200], connections: 4, warmupMs: 50, durationMs: 100 }
    const rounds = { min: 60, max: 60 }
    workspace.writeConfig({ ...smallConfig, arms, experiments: { latency }, rounds, platform: 'netns' })
    const running = workspace.startMeshbench('run', '--out', 'run', ...noPage)
    const drained = (async () => {
      for await (const line of running.lines) void line
    })()
    try {
      const trials = () =>
        existsSync(workspace.path('run/journal.jsonl'))
          ? trialsOf(workspace.journal('run').entries).length
          : 0
      await expect.poll(trials, soon).toBeGreaterThanOrEqual(20)
      const { runId } = workspace.journal('run').header
      const early = await holdings(running.pid ?? 0, runId)
      await expect.poll(trials, { timeout: 1_500_000, interval: 20 }).toBeGreaterThanOrEqual(300 - 10)
      const late = await holdings(running.pid ?? 0, runId)
      console.log('held after 20 and after 290 trials:', JSON.stringify([early, late]))
      expect({ ...late, descriptors: 0 }).toEqual({ ...early, descriptors: 0 })
      // A trial has some open while it runs.
      expect(late.descriptors).toBeLessThanOrEqual(early.descriptors + 20)
    } finally {
      running.kill()
      await Promise.all([running.exited, drained])
    }
  })
})

async function holdings(pid: number, runId: string) {
  const pids = new Map(
    [...pidsOf(runId)].flatMap((each) => [...namespacesOf([each])].map((name) => [name, each])),
  )
  const count = async (argv: readonly string[]) => {
    const outputs = await Promise.all(
      [...pids.values()].map((each) => run(['nsenter', '--target', String(each), '--net', ...argv])),
    )
    return outputs.flatMap(({ stdout }) => stdout.split('\n').filter(Boolean)).length
  }
  return {
    namespaces: pids.size,
    links: await count(['ip', '-oneline', 'link']),
    tables: await count(['nft', 'list', 'tables']),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  }
}
