/**
 * Whole runs on kind that take too long for every test run: one on all paths whose Meshbench is killed, cleaned up after
 * and resumed, and one in which two meshes' clusters take turns.
 */
import { existsSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze.js'
import { run } from '../../harness/exec.js'
import type { Running, Trial } from '../../harness/model.js'
import { createWorkspace, smallConfig, type Workspace } from '../../harness/testing/cli.js'
import { paths } from '../../scenarios/paths/index.js'
import { checkBinary } from '../binaries.js'
import { haproxyHop } from '../meshes/haproxy.js'
import { meshes } from '../meshes/index.js'
import { cleanKind, findClusters } from './kind/clean.js'
import { kindForTests } from './kind/testing.js'

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
  const nodesOf = async (cluster: string) => {
    const filter = `label=io.x-k8s.kind.cluster=${cluster}`
    return (await run(['docker', 'ps', '--all', '--quiet', '--filter', filter])).stdout.trim()
  }

  afterEach(async () => {
    // A SIGTERM lets it clean up, where the test did not get as far as killing it.
    running?.kill()
    await running?.exited
    if (hasJournal()) await cleanKind(runIdOf())
    workspace.remove()
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
    const [cluster = 'no cluster'] = (await findClusters(runId))?.names ?? []
    expect(await nodesOf(cluster)).not.toBe('')

    const cleaned = await workspace.meshbench('clean', runId)
    expect([cleaned.code, cleaned.stdout]).toEqual([0, expect.stringContaining(cluster)])
    expect((await findClusters(runId))?.names).toEqual([])
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
    expect((await findClusters(runId))?.names).toEqual([])
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
      expect((await findClusters(header.runId))?.names).toEqual([])
    },
    1_200_000,
  )
})
