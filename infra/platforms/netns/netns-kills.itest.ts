/**
 * What takes too long for every test run: Meshbench is killed at ten instants while it sets up and at ten while it
 * measures, nothing is left after `clean`, and what was killed goes on; two runs at once do not meet; a run holds no more
 * after 300 trials than at its beginning.
 */
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect } from 'vitest'
import { run } from '../../../harness/process/exec.js'
import { createWorkspace, noPage, smallConfig, type Workspace } from '../../../harness/testing/cli.js'
import { processesOf } from '../../../harness/testing/processes.js'
import { lastAttempts, trialsOf } from '../../../harness/testing/trials.js'
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
  test.for([
    {
      where: 'set-up',
      // From the first process of a namespace to the last hop; the first trial ends what is set up.
      isDue: (instant: number, runId: string, trials: number) =>
        trials > 0 || processesOf(runId).length > 2 * instant,
    },
    {
      where: 'rounds',
      isDue: (instant: number, runId: string, trials: number) =>
        trials > instant ||
        (trials === instant && processesOf(runId).some(({ command }) => command.includes('open-loop'))),
    },
  ])(
    'killed at ten instants of its $where, it leaves nothing, and goes on from there',
    { timeout: 1_800_000 },
    async ({ where, isDue }, { workspace }) => {
      workspace.writeConfig({ ...smallConfig, arms, platform: 'netns' })
      for (let instant = 0; instant < 10; instant++)
        await killAndClean(workspace, `${where}-${instant}`, (...state) => isDue(instant, ...state))
      const resumed = await workspace.meshbench('run', '--resume', workspace.path(`${where}-9`), ...noPage)
      expect([resumed.stderr, resumed.code]).toEqual(['', 0])
      const { header, entries } = workspace.journal(`${where}-9`)
      expect(lastAttempts(entries).filter(({ state }) => state === 'failed')).toEqual([])
      expect(new Set(trialsOf(entries).map(({ index }) => index)).size).toBe(header.plan.order.length)
      expect(processesOf(header.runId)).toEqual([])
    },
  )

  test('two runs at once are kept apart', { timeout: 600_000 }, async ({ workspace }) => {
    const other = createWorkspace()
    try {
      const both = [workspace, other]
      for (const each of both) each.writeConfig({ ...smallConfig, arms, platform: 'netns' })
      const ended = await Promise.all(both.map((each) => each.meshbench('run', '--out', 'out', ...noPage)))
      expect(ended.map(({ stderr, code }) => [stderr, code])).toEqual(both.map(() => ['', 0]))
      for (const each of both) {
        const { entries, header } = each.journal('out')
        // Each hop has seen the requests of its own run and of no other.
        expect(lastAttempts(entries).filter(({ state }) => state === 'failed')).toEqual([])
        expect(processesOf(header.runId)).toEqual([])
      }
    } finally {
      other.remove()
    }
  })

  test('300 trials later it holds what it held', { timeout: 1_800_000 }, async ({ workspace }) => {
    const latency = { ratesPerSecond: [200], connections: 4, warmupMs: 50, durationMs: 100 }
    // Far more than are waited for: it must not end before somebody has looked.
    const rounds = { min: 2_000, max: 2_000, budgetMinutes: 600 }
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
      await expect.poll(trials, { timeout: 1_500_000, interval: 200 }).toBeGreaterThanOrEqual(300)
      const late = await holdings(running.pid ?? 0, runId)
      console.log('held after 20 and after 300 trials:', JSON.stringify([early, late]))
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
  // The oldest process in each: a generator is in its client's namespace too, and ends with its trial.
  const oldestLast = [...pidsOf(runId)].sort((a, b) => b - a)
  const pids = new Map(oldestLast.flatMap((each) => [...namespacesOf([each])].map((name) => [name, each])))
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
