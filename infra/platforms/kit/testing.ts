/** Brings an environment up for tests that need a real engine or cluster, and drives a little load through its arms. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEnvironment } from '../../../harness/run/environment.js'
import type {
  Edge,
  Environment,
  EnvironmentRequest,
  LoadResult,
  LoadSpec,
  Path,
  Platform,
  ProofCheck,
  Running,
} from '../../../harness/model.js'
import { judgeTrial } from '../../../harness/run/proof.js'
import { openScope } from '../../../harness/process/scope.js'
import { meshes } from '../../meshes/index.js'
import { testRequest } from '../../../harness/testing/request.js'

export interface BroughtUp {
  readonly runId: string
  readonly environment: Environment
  readonly request: EnvironmentRequest
  readonly stateDir: string
  /** Starts the load generator on an arm, without waiting for anything. */
  startLoad(arm: string, load?: Partial<LoadSpec>): Running
  /** One short trial: its result, the readings at its window's edges, and what the proof of path says. */
  trial(arm: string): Promise<Trial>
  /** Returns what could not be undone. */
  close(): Promise<readonly string[]>
}

export interface Trial {
  readonly result: LoadResult
  readonly edges: readonly Edge[]
  readonly proof: readonly ProofCheck[]
}

export interface BringUpOptions {
  readonly paths: readonly Path[]
  /** Default: `reference`. */
  readonly mesh?: string
  readonly platformSettings?: Readonly<Record<string, unknown>>
  /** Told of each step that begins. */
  readonly onStep?: (title: string) => void
}

const load: LoadSpec = {
  engine: 'open-loop',
  model: 'open',
  protocol: 'http1',
  ratePerSecond: 100,
  arrival: 'uniform',
  connections: 4,
  warmupMs: 300,
  durationMs: 1_000,
  payloadBytes: 256,
  timeoutMs: 10_000,
}

/** Successes and failures of each slice of a load during whose window something is done to what carries it. */
export async function slicesWhile(
  up: BroughtUp,
  arm: string,
  durationMs: number,
  act: () => Promise<void>,
): Promise<{ readonly ok: readonly number[]; readonly failed: readonly number[] }> {
  const running = up.startLoad(arm, { durationMs, sliceMs: 100 })
  let result: LoadResult | undefined
  for await (const line of running.lines) {
    const event = JSON.parse(line) as { event: string; edge?: string; result?: LoadResult }
    if (event.event === 'edge') {
      running.write('go\n')
      if (event.edge === 'start') await act()
    }
    result = event.result ?? result
  }
  const [slices] = result?.slices?.workloads ?? []
  if (!slices) throw new Error(`the load on ${arm} gave no slices`)
  return slices
}

/** A baseline and a mesh on the given paths. */
export async function bringUp(platform: Platform, options: BringUpOptions): Promise<BroughtUp> {
  const request = requestFor(platform, options)
  const controller = new AbortController()
  const runId = `itest-${Date.now().toString(36)}`
  const stateDir = await mkdtemp(join(tmpdir(), `meshbench-${runId}-`))
  const scope = openScope({ runId, stateDir, signal: controller.signal })
  const step = async <T>(title: string, run: () => Promise<T>) => {
    options.onStep?.(title)
    return run()
  }
  const progress = { step, note: () => {} }
  const close = async () => {
    const problems = await scope.close()
    await rm(stateDir, { recursive: true, force: true })
    return problems
  }
  let environment: Environment
  try {
    environment = await createEnvironment({ request, platform, meshes, scope, progress })
  } catch (error) {
    await close()
    throw error
  }

  const startLoad = (arm: string, changes: Partial<LoadSpec> = {}) => {
    const target = environment.raised[arm]?.endpoint
    if (!target) throw new Error(`${arm} did not come up: ${environment.failures[arm]?.message ?? 'unknown'}`)
    environment.beginTrial()
    const spec = { ...load, ...changes, target, seed: 1 }
    return environment.exec(arm, { argv: ['loadgen', 'open-loop', '--spec', JSON.stringify(spec)] })
  }

  async function trial(armId: string): Promise<Trial> {
    environment.beginTrial()
    const before = await environment.read({ counters: true, usage: false })
    const running = startLoad(armId)
    const edges: Edge[] = []
    let result: LoadResult | undefined
    for await (const line of running.lines) {
      const event = JSON.parse(line) as { event: string; result?: LoadResult }
      if (event.event === 'edge') {
        edges.push(await environment.read({ counters: false, usage: true }))
        running.write('go\n')
      }
      if (event.event === 'result') result = event.result
    }
    const end = await running.exited
    if (!result) throw new Error(`the generator gave no result: ${JSON.stringify(end)}`)
    const after = await environment.read({ counters: true, usage: false })
    const arm = request.arms.find(({ id }) => id === armId)
    const path = request.paths.find(({ name }) => name === arm?.path)
    if (!arm || !path) throw new Error(`no arm ${armId}`)
    const proof = judgeTrial({
      arm,
      path,
      load,
      traffic: { requests: result.sent + result.warmupSent, connections: result.connectionsOpened },
      components: environment.components,
      before: before.counters,
      after: after.counters,
      maxStreamsPerConnection: 100,
    })
    return { result, edges, proof }
  }
  return { runId, environment, request, stateDir, startLoad, trial, close }
}

export function requestFor(platform: Platform, options: BringUpOptions): EnvironmentRequest {
  const { mesh = 'reference', paths, platformSettings = {} } = options
  return testRequest({
    id: `${platform.name}/${mesh}`,
    arms: [
      { mesh: 'none', role: 'baseline' },
      ...paths.filter(({ name }) => name !== 'baseline').map(({ name: path }) => ({ mesh, path })),
    ],
    paths,
    config: { platform: platform.name, platformSettings },
  })
}
