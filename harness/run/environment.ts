/** Brings a platform up, its meshes on it, and their arms: one environment that trials can run against. */
import { carriedPath } from '../model/paths.js'
import { unitNumber } from '../model/plan.js'
import { readEach } from '../process/read-each.js'
import { describeVariant } from '../model/variants.js'
import { defined } from '../model/defined.js'
import { CommandError, whatWasSaid } from '../model/errors.js'
import type {
  Arm,
  BillCategory,
  Component,
  Edge,
  Environment,
  EnvironmentRequest,
  Fact,
  HopCounters,
  Host,
  Mesh,
  MeshSession,
  Platform,
  Progress,
  ProofCheck,
  RaisedArm,
  Scope,
  TrialError,
  TrialErrorKind,
} from '../model.js'

interface CreateEnvironmentOptions {
  readonly request: EnvironmentRequest
  readonly platform: Platform
  readonly meshes: Readonly<Record<string, Mesh>>
  readonly scope: Scope
  readonly progress: Progress
}

/**
 * Rejects when the platform does not come up, or every arm failed. An arm that fails alone is in `failures`, with the
 * end of the output of what failed; the others go on.
 */
export async function createEnvironment(options: CreateEnvironmentOptions): Promise<Environment> {
  const { request, platform, meshes, scope, progress } = options
  const failures = await checkMeshes(request, platform, meshes)
  const host = await platform.create(request, scope, progress)
  const sessions = await installMeshes(options, host, failures)
  // Deferred after the meshes: what they take away with them, as the pods of their gateways, is looked at before.
  scope.defer('keep evidence', () => host.keepEvidence?.())

  const proofs: Record<string, readonly ProofCheck[]> = {}
  const total = request.arms.length
  const raised = await progress.step(
    'arms',
    () => raiseArms(options, sessions, failures),
    (up) => `${countOf(Object.keys(up).length, total)} arms ready`,
  )
  await progress.step('proof of path', async () => {
    for (const [arm, handle] of Object.entries(raised)) {
      const checks = await proveArm(handle)
      // A command that an interrupt ends proves nothing, and those of the next arms would run to their end.
      scope.signal.throwIfAborted()
      proofs[arm] = checks
      const refused = checks.filter(({ ok }) => !ok)
      if (refused.length > 0) {
        failures[arm] = {
          kind: 'proof-failed',
          message: refused
            .map(({ name, expected, actual }) => `${name}: expected ${expected}, saw ${actual}`)
            .join('; '),
        }
      }
    }
  })
  // Before anything is measured: what a failed arm left would work on beside the others, and be charged to nobody.
  for (const arm of request.arms) {
    if (!failures[arm.id] || !sessions.has(arm.mesh)) continue
    scope.signal.throwIfAborted()
    await host.takeDown?.(arm).catch((error: unknown) => {
      progress.note(`${arm.id} could not be taken down: ${whatWasSaid(error)}`)
    })
  }
  const unbilled = await findUnbilled(host, raised, failures)
  return compose({ request, host, sessions, raised, failures, proofs, unbilled })
}

/**
 * Hops of arms that came up, and what their functions call, whose usage is not to be had: a container that is not found would look like one that costs
 * nothing. What is no hop, as rules of the kernel, has no process.
 */
async function findUnbilled(
  host: Host,
  raised: Readonly<Record<string, RaisedArm>>,
  failures: Readonly<Record<string, TrialError>>,
): Promise<readonly string[]> {
  const hops = Object.entries(raised).flatMap(([arm, { components }]) =>
    failures[arm] ? [] : components.filter(({ hop, service }) => hop !== undefined || service !== undefined),
  )
  const readings = await host.readUsage(hops)
  return hops.map(({ name }) => name).filter((name) => !(name in readings))
}

const countOf = (some: number, all: number) => (some === all ? String(all) : `${some} of ${all}`)

/** Brings up arms whose mesh is there, some at a time; the result is in the order of the plan, whoever came up first. */
async function raiseArms(
  { request, platform, scope }: CreateEnvironmentOptions,
  sessions: ReadonlyMap<string, MeshSession>,
  failures: Record<string, TrialError>,
): Promise<Record<string, RaisedArm>> {
  const raised = new Map<string, RaisedArm>()
  const waiting = request.arms.filter(({ id, mesh }) => !failures[id] && sessions.has(mesh))
  const raiseNext = async (): Promise<void> => {
    for (let arm = waiting.shift(); arm; arm = waiting.shift()) {
      scope.signal.throwIfAborted()
      try {
        raised.set(arm.id, await raise(request, sessions.get(arm.mesh) as MeshSession, arm))
      } catch (error) {
        failures[arm.id] = describeFailure('not-ready', error)
      }
    }
  }
  // All are waited for, so that nothing still comes up while the scope is being closed.
  const lanes = await Promise.allSettled(Array.from({ length: platform.armsAtOnce ?? 1 }, raiseNext))
  for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason
  return Object.fromEntries(
    request.arms.flatMap(({ id }) => {
      const handle = raised.get(id)
      return handle ? [[id, handle] as const] : []
    }),
  )
}

/** A proof that cannot be made is a proof that failed, of this arm alone. */
async function proveArm(handle: RaisedArm): Promise<readonly ProofCheck[]> {
  return handle
    .prove()
    .catch((error: unknown): readonly ProofCheck[] => [
      { name: 'proof of path', ok: false, expected: 'can be made', actual: whatWasSaid(error) },
    ])
}

async function raise(request: EnvironmentRequest, session: MeshSession, arm: Arm): Promise<RaisedArm> {
  const path = request.paths.find(({ name }) => name === arm.path)
  if (!path) throw new Error(`no path named ${arm.path}`)
  return session.raise(arm, carriedPath(arm, path))
}

/** What a mesh lacks is known before anything is created: its arms are left out, with the remedy. */
async function checkMeshes(
  request: EnvironmentRequest,
  platform: Platform,
  meshes: Readonly<Record<string, Mesh>>,
): Promise<Record<string, TrialError>> {
  const failures: Record<string, TrialError> = {}
  for (const name of new Set(request.arms.map(({ mesh }) => mesh))) {
    const [first] = (await meshes[name]?.check(request, platform)) ?? []
    if (!first) continue
    const message = `${first.need}: found ${first.found}; ${first.remedy}`
    for (const arm of request.arms.filter(({ mesh }) => mesh === name))
      failures[arm.id] = { kind: 'mesh-unavailable', message }
  }
  return failures
}

async function installMeshes(
  { request, meshes, scope, progress }: CreateEnvironmentOptions,
  host: Host,
  failures: Record<string, TrialError>,
): Promise<Map<string, MeshSession>> {
  const sessions = new Map<string, MeshSession>()
  const usable = request.arms.filter(({ id }) => !failures[id])
  for (const name of new Set(usable.map(({ mesh }) => mesh))) {
    try {
      const mesh = meshes[name]
      if (!mesh) throw new Error(`no mesh named ${name}`)
      sessions.set(name, await mesh.install({ request, host, scope, progress }))
    } catch (error) {
      scope.signal.throwIfAborted()
      for (const { id } of request.arms.filter(({ mesh }) => mesh === name))
        failures[id] = describeFailure('mesh-unavailable', error)
    }
  }
  return sessions
}

interface Parts extends Pick<Environment, 'raised' | 'failures' | 'proofs' | 'unbilled'> {
  readonly request: EnvironmentRequest
  readonly host: Host
  readonly sessions: ReadonlyMap<string, MeshSession>
}

function compose(parts: Parts): Environment {
  const { request, host, sessions, raised, failures, proofs, unbilled } = parts
  const armOf = new Map(request.arms.map((arm) => [arm.id, arm]))
  const counterReaders = new Map<string, RaisedArm>()
  const applications = new Map<string, Component>()
  for (const handle of Object.values(raised)) {
    applications.set(handle.application.name, applicationOf(handle, armOf))
    for (const { name } of [handle.application, ...handle.components]) counterReaders.set(name, handle)
  }
  const components: Component[] = [
    ...applications.values(),
    ...hopsOf(raised, armOf),
    ...[...sessions.values()].flatMap((session) => session.components),
    ...(host.components ?? []),
  ]
  const counted = components.filter(({ category }) => !withoutCounters.includes(category))

  const health = (component: string) => host.health(component)
  return {
    id: request.id,
    facts: factsOf(parts),
    components,
    raised,
    failures,
    proofs,
    builds: buildsOf(raised),
    unbilled,
    exec(arm, command) {
      const found = armOf.get(arm)
      if (!found) throw new Error(`no arm named ${arm}`)
      return host.exec(found, command)
    },
    async read({ counters, usage }): Promise<Edge> {
      // Scraping a hop costs it CPU, so that is kept out of the window: callers read counters outside of it.
      const hopCounters = counters ? await readCounters(counted, counterReaders, health) : {}
      const [hostReading, usageReadings] = await Promise.all([
        host.readHost(),
        usage ? host.readUsage(components) : Promise.resolve({}),
      ])
      return { host: hostReading, usage: usageReadings, counters: hopCounters }
    },
    beginTrial: () => host.beginTrial?.(),
    change(component, change) {
      if (!host.change) throw new Error(`${request.config.platform} cannot ${change.do} what it runs`)
      return host.change(component, change)
    },
    componentHealth: health,
    health(arm, except) {
      const handle = raised[arm]
      const needed = handle ? [...handle.components, handle.application] : []
      return (
        failures[arm] ??
        needed
          .filter(({ name }) => !except?.has(name))
          .map(({ name }) => health(name))
          .find((failure) => failure !== undefined)
      )
    },
    deathNoticedMs: host.deathNoticedMs ?? 2_000,
  }
}

/** Each once: meshes that share a program tell the same of it. */
function factsOf({ request, host, sessions, raised }: Parts): readonly Fact[] {
  const facts: Fact[] = [
    ...(request.config.variants ?? []).map((variant) => ({
      name: `variant ${variant.name}`,
      value: describeVariant(variant),
    })),
    ...host.facts,
    ...[...sessions.values()].flatMap((session) => session.facts),
    ...Object.values(raised).flatMap(({ build }) =>
      build?.means === undefined ? [] : [{ name: build.name, value: build.means }],
    ),
  ]
  return [...new Map(facts.map((fact) => [`${fact.name}\n${fact.value}`, fact])).values()]
}

const buildsOf = (raised: Readonly<Record<string, RaisedArm>>): Record<string, string> =>
  Object.fromEntries(Object.entries(raised).flatMap(([arm, { build }]) => (build ? [[arm, build.name]] : [])))

/** An application that is there for a unit alone is marked as its hops are; others are as they say. */
function applicationOf({ application }: RaisedArm, armOf: ReadonlyMap<string, Arm>): Component {
  const copy = armOf.get(application.arm ?? '')?.copy
  return copy && unitNumber(copy.which) !== undefined ? { ...application, copy } : application
}

/** The hops of all arms, those of copies marked as such. */
function hopsOf(
  raised: Readonly<Record<string, RaisedArm>>,
  armOf: ReadonlyMap<string, Arm>,
): readonly Component[] {
  return Object.entries(raised).flatMap(([id, handle]) =>
    handle.components.map((component) => ({ ...component, ...defined({ copy: armOf.get(id)?.copy }) })),
  )
}

const withoutCounters: readonly BillCategory[] = ['control-plane', 'platform']

/** A hop that cannot be read fails its proof, with that said. */
async function readCounters(
  components: readonly Component[],
  readers: ReadonlyMap<string, RaisedArm>,
  health: Host['health'],
): Promise<Readonly<Record<string, HopCounters>>> {
  return readEach(components, async ({ name }) =>
    health(name) ? undefined : readers.get(name)?.readCounters(name),
  )
}

/** What a person needs to see of whatever was thrown: the message, and the end of the output when there is one. */
export function describeFailure(kind: TrialErrorKind, error: unknown): TrialError {
  const detail = error instanceof CommandError ? error.tail : (error as { detail?: unknown } | null)?.detail
  return {
    kind,
    message: whatWasSaid(error),
    ...(typeof detail === 'string' && detail !== '' ? { detail } : {}),
  }
}
