/**
 * Whole runs on kind that take too long for every test run: one on all paths whose Meshbench is killed, cleaned up after
 * and resumed, one in whose trials pods and a node are killed, one in which two meshes' clusters take turns, and two on a
 * cluster that was there before, which are interrupted and killed.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { analyze } from '../../../harness/analyze/analyze.js'
import { exitCodes } from '../../../harness/model/errors.js'
import { run } from '../../../harness/process/exec.js'
import type { Running, Trial } from '../../../harness/model.js'
import { createWorkspace, noPage, smallConfig, type Workspace } from '../../../harness/testing/cli.js'
import { processesOf } from '../../../harness/testing/processes.js'
import { paths } from '../../../scenarios/paths/index.js'
import { checkBinary } from '../../supply/binaries.js'
import { haproxyHop } from '../../meshes/haproxy/haproxy.js'
import { meshes } from '../../meshes/index.js'
import { clusterLeftovers } from './clean.js'
import { asExisting, clustersOf, exportKubeconfig, kindForTests } from './testing.js'

const { platformSettings, reason: lacking } = await kindForTests([paths['l7-sidecar-to-sidecar']])
const reason =
  process.env.MESHBENCH_TEST_EXTENDED === '1' ? lacking : 'MESHBENCH_TEST_EXTENDED is not 1 (many minutes)'
if (reason !== '') console.log(`skipped: ${reason}`)

const lacksHaproxy = haproxyHop.need ? await checkBinary(haproxyHop.need) : []
for (const { found, remedy } of lacksHaproxy)
  console.log(`skipped: the run of two clusters: haproxy is ${found} (${remedy})`)

describe.skipIf(reason !== '')('kind, whole runs', () => {
  let workspace: Workspace
  let running: Running | undefined
  const runIdOf = () => workspace.journal('run').header.runId
  const hasJournal = () => existsSync(workspace.path('run/journal.jsonl'))
  const trials = () =>
    hasJournal() ? workspace.journal('run').entries.filter((e): e is Trial => e.type === 'trial') : []
  const armOf = (trial: Trial | undefined) => trial?.cell.split('|')[1]
  const nodesOf = async (cluster: string) => {
    const filter = `label=io.x-k8s.kind.cluster=${cluster}`
    return (await run(['docker', 'ps', '--all', '--quiet', '--filter', filter])).stdout.trim()
  }

  afterEach(async () => {
    // A SIGTERM lets it clean up, where the test did not get as far as killing it.
    running?.kill()
    await running?.exited
    const left = hasJournal() ? await clusterLeftovers(runIdOf()) : []
    for (const leftover of left) await leftover.remove()
    workspace.remove()
    vi.unstubAllEnvs()
  }, 240_000)

  it('after kill -9, clean removes the cluster, and resume measures what is missing', async () => {
    workspace = createWorkspace({ timeoutMs: 600_000 })
    const all = Object.keys(paths).filter((name) => meshes.reference.paths.includes(name))
    workspace.writeConfig({ ...smallConfig, arms: { reference: all }, platformSettings })
    running = workspace.startMeshbench('run', '--platform', 'kind', '--out', 'run')
    const { lines, exited } = running
    const drained = (async () => {
      for await (const line of lines) void line
    })()
    await expect.poll(() => trials().length, { timeout: 300_000, interval: 50 }).toBeGreaterThan(0)
    running.kill('SIGKILL')
    await Promise.all([exited, drained])
    const { runId, plan } = workspace.journal('run').header
    const done = trials().map(({ index }) => index)
    expect(done.length).toBeLessThan(plan.order.length)
    const [cluster = 'no cluster'] = await clustersOf(runId)
    expect(await nodesOf(cluster)).not.toBe('')

    const cleaned = await workspace.meshbench('clean', runId)
    expect([cleaned.code, cleaned.stdout]).toEqual([0, expect.stringContaining(cluster)])
    expect(await clustersOf(runId)).toEqual([])
    expect(await nodesOf(cluster)).toBe('')

    const resumed = await workspace.meshbench('run', '--resume', 'run')
    expect(resumed.code, `${resumed.stdout}\n${resumed.stderr}`).toBe(0)
    const cellsAndRounds = (of: readonly { cell: string; round: number }[]) =>
      [...new Set(of.map(({ cell, round }) => `${cell} in round ${round}`))].sort()
    expect(cellsAndRounds(trials())).toEqual(cellsAndRounds(plan.order))
    // What the killed run had measured stands first, and was not measured again.
    const indices = trials().map(({ index }) => index)
    expect(indices.slice(0, done.length)).toEqual(done)
    expect(indices.slice(done.length).filter((index) => done.includes(index))).toEqual([])
    expect(workspace.journal('run').entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
    expect(await clustersOf(runId)).toEqual([])
  }, 900_000)

  it('pods and a node that die in mid-trial fail that trial with the reason, and nothing that does not need them', async () => {
    workspace = createWorkspace({ timeoutMs: 600_000 })
    const durationMs = 4_000
    workspace.writeConfig({
      ...smallConfig,
      arms: { reference: ['l4-l7-l4'] },
      experiments: { latency: { ratesPerSecond: [100], connections: 4, warmupMs: 100, durationMs } },
      rounds: { min: 12, max: 12 },
      platformSettings,
    })
    const waypoint = { arm: 'reference/l4-l7-l4', namespace: 'mb-reference-l4-l7-l4' }
    const baseline = { arm: 'reference/baseline', namespace: 'mb-reference-baseline' }
    const killed = workspace.startMeshbench('run', '--platform', 'kind', '--out', 'run')
    running = killed
    const output: string[] = []
    const drained = (async () => {
      for await (const line of killed.lines) output.push(line)
    })()

    /** Waits for the middle of a trial's window. Returns how many trials the journal held then. */
    async function midTrialOf({ arm, namespace }: typeof waypoint): Promise<number> {
      const loads = ({ command }: { command: string }) =>
        command.includes(` -n ${namespace} `) && command.includes('loadgen')
      for (const end = Date.now() + 400_000; Date.now() < end; await sleep(50)) {
        if (!hasJournal() || !processesOf(runIdOf()).some(loads)) continue
        const done = trials().length
        await sleep(durationMs / 2)
        if (trials().length === done) return done
      }
      throw new Error(`no trial of ${arm} was seen:\n${output.join('\n')}`)
    }
    /** What became of the trial that was to be the next one in the journal. */
    async function outcomeAt(position: number) {
      await expect.poll(() => trials().length, { timeout: 60_000, interval: 50 }).toBeGreaterThan(position)
      const trial = trials()[position]
      return {
        arm: armOf(trial),
        state: trial?.state,
        kind: trial?.error?.kind,
        message: trial?.error?.message,
      }
    }
    const kubeconfig = () => workspace.path('kubeconfig')
    const kubectl = (...args: string[]) => run(['kubectl', '--kubeconfig', kubeconfig(), ...args])
    const killPod = ({ namespace }: typeof waypoint, selector: string) => {
      const now = ['--grace-period=0', '--force', '--wait=false']
      return kubectl('delete', 'pod', '-n', namespace, '-l', selector, ...now)
    }

    const first = await midTrialOf(waypoint)
    const cluster = await exportKubeconfig(runIdOf(), kubeconfig())
    await killPod(waypoint, 'meshbench.component=waypoint')
    expect(await outcomeAt(first)).toMatchObject({ arm: waypoint.arm, state: 'failed', kind: 'hop-died' })

    const second = await midTrialOf(baseline)
    await killPod(baseline, 'app=client')
    expect(await outcomeAt(second)).toMatchObject({
      arm: baseline.arm,
      state: 'failed',
      kind: 'generator-died',
    })
    // Once more, in the pod that took the killed one's place.
    expect(await outcomeAt(second + 1)).toMatchObject({ arm: baseline.arm, state: 'ok' })
    expect(trials()[second + 1]).toMatchObject({ index: trials()[second]?.index, attempt: 1 })

    const isBack = async () => {
      // Old kubelets would look at a new pod a minute later.
      const { namespace } = waypoint
      await kubectl('annotate', 'pods', '--all', '-n', namespace, '--overwrite', `look=${Date.now()}`)
      return trials().findIndex(
        (trial, at) => at > first && armOf(trial) === waypoint.arm && trial.state === 'ok',
      )
    }
    await expect.poll(isBack, { timeout: 120_000, interval: 1_000 }).toBeGreaterThan(0)
    const back = await isBack()

    const third = await midTrialOf(waypoint)
    await run(['docker', 'kill', `${cluster}-worker3`])
    expect(await outcomeAt(third)).toEqual({
      arm: waypoint.arm,
      state: 'failed',
      kind: 'node-died',
      message: `the node ${cluster}-worker3 ended with code 137`,
    })

    expect([(await killed.exited).code, output.join('\n')]).toEqual([0, expect.stringContaining('worker3')])
    await drained
    const { header, entries } = workspace.journal('run')
    expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
    // Every planned trial has its line. Those of the waypoint failed while it was away, and no others.
    const all = trials()
    expect([...new Set(all.map(({ index }) => index))]).toEqual(header.plan.order.map(({ index }) => index))
    const unlucky = all.flatMap((trial, at) => (trial.state === 'ok' ? [] : [{ at, arm: armOf(trial) }]))
    const away = unlucky.filter(({ at }) => at !== second)
    expect(new Set(away.map(({ arm }) => arm))).toEqual(new Set([waypoint.arm]))
    expect(away.filter(({ at }) => at > back && at < third)).toEqual([])
    const page = readFileSync(workspace.path('run/report.html'), 'utf8')
    for (const kind of ['waypoint', 'generator exited', `${cluster}-worker3 ended`])
      expect(page).toContain(kind)
    expect(readdirSync(workspace.path('run/diagnostics'))).toContain(cluster)
    expect(await clustersOf(header.runId)).toEqual([])
    expect(await nodesOf(cluster)).toBe('')
  }, 1_200_000)

  it('on an existing cluster, Ctrl-C takes the namespaces down, and clean those of a run after kill -9', async () => {
    workspace = createWorkspace({ timeoutMs: 600_000 })
    const arms = { reference: ['l4-only'] }
    workspace.writeConfig({ ...smallConfig, arms, rounds: { min: 1, max: 1 }, platformSettings })
    const made = await workspace.meshbench('run', '--platform', 'kind', '--keep', '--out', 'run', ...noPage)
    expect(made.code, `${made.stdout}\n${made.stderr}`).toBe(0)
    const kubeconfig = workspace.path('kubeconfig')
    const cluster = await exportKubeconfig(runIdOf(), kubeconfig)
    // A file that is not there is no reason not to read the others.
    vi.stubEnv('KUBECONFIG', `${kubeconfig}:${workspace.path('none')}`)
    const namespacesOf = async (id: string) => {
      const argv = ['kubectl', 'get', 'namespaces', '-l', `meshbench.run=${id}`, '-o', 'name']
      return (await run(argv)).stdout.trim()
    }
    workspace.writeConfig({
      ...smallConfig,
      arms,
      experiments: { latency: { ratesPerSecond: [50], connections: 2, warmupMs: 100, durationMs: 60_000 } },
      platformSettings: { kubernetes: await asExisting(cluster) },
    })
    /** Starts a run and ends it in the middle of a trial. */
    async function endInMidTrial(out: string, signal: NodeJS.Signals): Promise<string> {
      running = workspace.startMeshbench('run', '--platform', 'kubernetes', '--out', out)
      const { lines, exited, pid = 0 } = running
      const drained = (async () => {
        for await (const line of lines) void line
      })()
      const id = () =>
        existsSync(workspace.path(`${out}/journal.jsonl`)) ? workspace.journal(out).header.runId : 'none yet'
      const hasLoad = () => processesOf(id()).some(({ command }) => command.includes('loadgen'))
      await expect.poll(hasLoad, { timeout: 180_000, interval: 100 }).toBe(true)
      expect(await namespacesOf(id())).toContain('namespace/mb-')
      process.kill(pid, signal)
      await Promise.all([exited, drained])
      return id()
    }

    const interrupted = await endInMidTrial('interrupted', 'SIGINT')
    expect((await running?.exited)?.code).toBe(exitCodes.interrupted)
    await expect.poll(() => namespacesOf(interrupted), { timeout: 60_000, interval: 500 }).toBe('')

    const killed = await endInMidTrial('killed', 'SIGKILL')
    expect(await namespacesOf(killed)).toContain('namespace/mb-')
    const cleaned = await workspace.meshbench('clean', killed)
    expect([cleaned.code, cleaned.stdout]).toEqual([0, expect.stringContaining('namespaces of the context')])
    expect(await namespacesOf(killed)).toBe('')
  }, 900_000)

  it.skipIf(lacksHaproxy.length > 0)(
    'two meshes, each on a cluster that takes turns, are compared by what each adds to its own baseline',
    async () => {
      workspace = createWorkspace({ timeoutMs: 900_000 })
      const path = 'l7-sidecar-to-sidecar'
      workspace.writeConfig({
        ...smallConfig,
        arms: { reference: [path], haproxy: [path] },
        rounds: { min: 2, max: 2, blocks: 2 },
        seed: 1,
        platformSettings,
      })
      const ended = await workspace.meshbench('run', '--platform', 'kind', '--out', 'run')
      expect(ended.code, `${ended.stdout}\n${ended.stderr}`).toBe(0)
      const { header, entries } = workspace.journal('run')
      expect(entries.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
      // In both halves of the run both clusters were up, so that what drifts hits both.
      const visits = entries.flatMap((entry) => (entry.type === 'environment' ? [entry.environment] : []))
      expect(visits.length).toBeGreaterThan(2)
      expect(new Set(visits)).toEqual(new Set(['kind/reference', 'kind/haproxy']))
      expect(trials().map(({ index }) => index)).toEqual(header.plan.order.map(({ index }) => index))
      expect(trials().filter(({ state }) => state !== 'ok')).toEqual([])

      const { arms, comparisons } = analyze(entries)
      const environmentOf = (id: string) => arms.find((arm) => arm.id === id)?.environment
      const baselineOf = (mesh: string) => arms.find(({ id }) => id === `${mesh}/${path}`)?.baseline ?? ''
      for (const mesh of ['reference', 'haproxy']) {
        expect(environmentOf(baselineOf(mesh))).toBe(`kind/${mesh}`)
        const own = comparisons.filter(({ arm }) => arm === `${mesh}/${path}`)
        expect(own.some(({ versus }) => versus === baselineOf(mesh))).toBe(true)
      }
      // Absolute times of two clusters are never set against each other.
      expect(comparisons.filter(({ arm, versus }) => environmentOf(arm) !== environmentOf(versus))).toEqual(
        [],
      )
      expect(readFileSync(workspace.path('run/report.html'), 'utf8')).toContain('haproxy')
      expect(await clustersOf(header.runId)).toEqual([])
    },
    1_200_000,
  )
})
