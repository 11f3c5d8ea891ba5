/**
 * Builds a mesh out of hop programs, so that a new vendor's proxy is one file: what differs between vendors is how a
 * hop is configured and how it tells what it carried, not how a path is put together and proved.
 */
import { z } from 'zod'
import type {
  Arm,
  Deployed,
  Endpoint,
  EnvironmentRequest,
  Fact,
  Hop,
  HopCounters,
  Host,
  Identity,
  Mesh,
  MeshContext,
  MeshSession,
  OwnProgram,
  Path,
  Placement,
  RaisedArm,
  Scope,
  Unmet,
  Workload,
} from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { findProgramSource, checkProgram, type BinaryNeed } from '../../supply/binaries.js'
import { requestHeadersOf, settingsOf, variantBuilds } from '../../../harness/model/variants.js'
import { proveEncryptedLegs, type Impostors } from './hop-proofs.js'
import type { Protocol } from '../../../harness/protocol/engines.js'
import { readReferenceCounters } from '../reference/counters.js'
import { namespace, serviceAuthority, trustDomain } from '../reference/names.js'
import { captureInbound, captureOutbound, proveSocket, socketInPod, unmetCapture } from './capture.js'
import { captureSettings, transparentSettings, type HopSettings } from './settings.js'
import { raiseServices, unmetServices } from '../services/called-services.js'
import { namespacesOf, type ArmNetwork } from '../kernel/arm-network.js'
import { isClear, lookWhileAway, proveWire } from '../kernel/wire.js'
import type { HopSpec } from './hop-spec.js'

export type { HopSpec } from './hop-spec.js'

export interface HopProgram {
  readonly name: string
  /** Set when it is a program of this repository. */
  readonly own?: OwnProgram
  /** It can listen at addresses that are not its host's, as `capture: 'tproxy'` needs. */
  readonly transparent?: true
  /** What of loads it carries; absent: all. */
  readonly protocols?: readonly Protocol[]
  /** The program that must be found; this repository's own need none. */
  readonly need?: BinaryNeed
  /** What of `meshSettings` it reads; absent: nothing. */
  readonly settings?: z.ZodRawShape
  facts(settings: HopSettings): readonly Fact[]
  /** Its listeners are `downstream` and `admin`. `program` is `argv[0]` of the program that `need` asks for. */
  workload(spec: HopSpec, program: string): Workload
  /** Reads the hop's counters; `fetchAdmin` GETs a path of its admin listener. */
  readCounters(fetchAdmin: (path: string) => Promise<string>, spec: HopSpec): Promise<HopCounters>
}

/** A hop that is somebody else's program, found by what `need` says. */
export interface VendorHop extends Omit<HopProgram, 'name' | 'own' | 'need' | 'workload'> {
  readonly need: BinaryNeed
  /** Its arguments; `{config}` and `{folder}` stand for the paths of its config file and of a folder that it may write to. */
  readonly args: readonly string[]
  /** Path of its admin listener that answers once it is ready. */
  readonly readyPath: string
  readonly runtime?: 'jvm'
  /** Files beside its config; absent: its credentials, where a leg is encrypted. */
  readonly files?: (spec: HopSpec) => Readonly<Record<string, string>>
  readonly config: (spec: HopSpec, placement: Placement) => unknown
}

export function vendorHop(vendor: VendorHop): HopProgram {
  const { args, readyPath, runtime, files = credentialFiles, config, ...rest } = vendor
  const { name } = rest.need
  return {
    name,
    ...rest,
    workload: (spec, program) => ({
      component: { ...hopComponent(spec), ...defined({ runtime }) },
      program: { kind: 'binary', name, argv: [program, ...args], readyPath },
      listeners: ['downstream', 'admin'],
      files: files(spec),
      config: (placement) => config(spec, placement),
    }),
  }
}

export interface HopMeshOptions {
  readonly name: string
  readonly summary: string
  readonly paths: readonly string[]
  readonly l4?: HopProgram
  readonly l7?: HopProgram
  readonly manyClients?: Mesh['manyClients']
  /** What a reader of the report must know to compare. */
  readonly notes?: readonly Fact[]
}

export function createHopMesh(options: HopMeshOptions): Mesh {
  const { name, summary, paths } = options
  const programs = [...new Set([options.l4, options.l7])].filter((program) => program !== undefined)
  const needs = programs.flatMap(({ need }) => (need ? [need] : []))
  return {
    name,
    summary,
    paths,
    livesOn: 'own-hops',
    varies: programs.flatMap(({ own }) => (own ? [own] : [])),
    programs: needs.map((need) => need.name),
    settings: z.strictObject(
      Object.assign(
        { ...(options.l7?.transparent ? transparentSettings : captureSettings) },
        ...programs.map((program) => program.settings),
        // A program may be at both layers elsewhere; what is read of a tunnel is up to the one that is the tunnel here.
        defined({ tunnel: options.l4?.settings?.tunnel }),
      ),
    ),
    ...defined({ manyClients: options.manyClients }),
    async check(request, on) {
      const unmet = await Promise.all(needs.map((need) => checkProgram(need, request.config, on)))
      return [
        ...unmet.flat(),
        ...(await unmetCapture(name, request, on)),
        ...unmetServices(name, request, on),
        ...unmetProtocols(request, programs),
      ]
    },
    async install({ host, progress, request, scope }: MeshContext): Promise<MeshSession> {
      const credentials = await progress.step(`${name}: identities`, issueCredentials)
      const settings = (request.config.meshSettings[name] ?? {}) as HopSettings
      const sources = await Promise.all(needs.map((need) => findProgramSource(need, request.config)))
      const paths = new Map(sources.map(({ name: program, argv0 }) => [program, argv0]))
      return {
        facts: [
          ...sources.map(({ fact }) => fact),
          ...programs.flatMap((program) => program.facts(settings)),
          ...(options.notes ?? []),
        ],
        components: [],
        raise: (arm, path) =>
          raiseArm({
            ...{ arm, path, host, scope, credentials, options, paths },
            given: {
              settings: settingsOf(request.config, arm),
              builds: variantBuilds(request.config, arm),
              requestHeaders: requestHeadersOf(request.config),
            },
          }),
      }
    },
  }
}

const speaking = z.object({ protocol: z.string() })

/** Tells before anything is started that a program does not carry what the loads speak. */
function unmetProtocols(
  { config }: Pick<EnvironmentRequest, 'config'>,
  programs: readonly Pick<HopProgram, 'name' | 'protocols'>[],
): readonly Unmet[] {
  const loads = Object.entries(config.experiments).flatMap(([experiment, settings]) => {
    const { data } = speaking.safeParse(settings)
    return data ? [{ experiment, protocol: data.protocol }] : []
  })
  return programs.flatMap(({ name, protocols }) =>
    loads
      .filter(({ protocol }) => protocols?.every((carried) => carried !== protocol))
      .map(({ experiment, protocol }) => ({
        need: `${name} for experiments.${experiment}.protocol: ${protocol}`,
        found: `${name} carries ${protocols?.join(', ') ?? ''} alone between hops`,
        remedy: `leave its arms out, or measure ${protocols?.join(' or ') ?? ''}`,
      })),
  )
}

// ---------------------------------------------------------------- identities

/** Whose identity a hop shows: tunnels and sidecars speak for the workload beside them, others for themselves. */
const serviceAccountOf: Readonly<Record<Hop['role'], string>> = {
  'tunnel-outbound': 'client',
  'sidecar-outbound': 'client',
  waypoint: 'waypoint',
  ingress: 'gateway',
  'per-node': 'node-proxy',
  'tunnel-inbound': 'server',
  'sidecar-inbound': 'server',
}

/** DNS name beside the SPIFFE id, for programs that can only check names of that kind. */
export function dnsNameOf(id: string): string {
  const account = id.slice(id.lastIndexOf('/') + 1)
  return `${account}.${namespace}.${trustDomain}`
}

interface Credentials {
  readonly byAccount: ReadonlyMap<string, Identity>
  readonly impostors: Impostors
}

async function issueCredentials(): Promise<Credentials> {
  // The certificate library is slow to load, and most verbs make no certificate.
  const { createAuthority, spiffeId } = await import('../../platforms/kit/identity.js')
  const [authority, foreign] = await Promise.all([
    createAuthority({ trustDomain }),
    createAuthority({ trustDomain }),
  ])
  const issue = (from: typeof authority, account: string) => {
    const id = spiffeId(trustDomain, namespace, account)
    return from.issue(id, { dnsNames: [dnsNameOf(id)] })
  }
  const accounts = [...new Set(Object.values(serviceAccountOf))]
  const issued = await Promise.all(accounts.map((account) => issue(authority, account)))
  return {
    byAccount: new Map(issued.map((identity, index) => [accounts[index] ?? '', identity])),
    impostors: {
      intruder: await issue(authority, 'intruder'),
      foreign: (id) => foreign.issue(id),
    },
  }
}

// ---------------------------------------------------------------- raising

interface RaiseOptions {
  readonly arm: Arm
  readonly path: Path
  readonly host: Host
  readonly scope: Scope
  readonly credentials: Credentials
  /** What the config says of the arm's hops. */
  readonly given: Pick<HopSpec, 'settings' | 'builds' | 'requestHeaders'>
  readonly options: HopMeshOptions
  /** `argv[0]` by program name. */
  readonly paths: ReadonlyMap<string, string>
}

/** Starts the hops from the server's end to the client's, since each needs to know where the next one listens. */
async function raiseArm({
  arm,
  path,
  host,
  scope,
  credentials,
  given,
  options,
  paths,
}: RaiseOptions): Promise<RaisedArm> {
  const { settings } = given
  const identityOf = (hop: Hop): Identity => {
    const identity = credentials.byAccount.get(serviceAccountOf[hop.role])
    if (!identity) throw new Error(`no identity for ${hop.role}`)
    return identity
  }
  const programOf = (hop: Hop): HopProgram => {
    const program = hop.layer === 'l4' ? options.l4 : options.l7
    if (!program) throw new Error(`${options.name} has no program for ${hop.layer} hops`)
    return program
  }
  const network = settings.capture === undefined ? undefined : await namespacesOf(host).networkFor(arm)
  const way = settings.capture === 'none' ? undefined : settings.capture
  const capturing = way && network
  const application = await host.startApplication(arm, path)
  const services = await raiseServices(host, arm, path, settings.proxy?.services)
  let next = endpointOf(application, 'http')
  const raised: { spec: HopSpec; deployed: Deployed }[] = []
  const inPods: Parameters<typeof proveSocket>[] = []
  for (const [index, hop] of [...path.hops.entries()].reverse()) {
    const before = path.hops[index - 1]
    const after = path.hops[index + 1]
    const spec: HopSpec = {
      arm,
      hop,
      identity: identityOf(hop),
      upstream: next,
      downstreamLeg: path.legs[index] ?? 'plain',
      upstreamLeg: path.legs[index + 1] ?? 'plain',
      ...(before ? { before: identityOf(before) } : {}),
      ...(after ? { after: identityOf(after) } : {}),
      authority: serviceAuthority,
      ...given,
      services: services.endpoints,
    }
    const program = programOf(hop)
    const workload = program.workload(spec, paths.get(program.need?.name ?? '') ?? '')
    const place = capturing && program.own === 'tunnel' ? await socketInPod(capturing, hop) : undefined
    const deployed = await host.deploy(place ? { ...workload, sockets: { downstream: place } } : workload)
    raised.unshift({ spec, deployed })
    next = endpointOf(deployed, 'downstream')
    if (capturing && place) inPods.unshift([capturing, hop, next])
    if (capturing && hop.role === 'sidecar-inbound')
      next = await captureInbound(capturing, way, spec.upstream, next)
  }
  const capture = capturing && (await captureOutbound(capturing, way, arm, path.hops[0], next))
  return {
    endpoint: { ...(capture?.endpoint ?? next), authority: serviceAuthority },
    application: application.component,
    components: [
      ...raised.map(({ deployed }) => deployed.component),
      ...(capture ? [capture.component] : []),
      ...services.components,
    ],
    readCounters: async (component) => {
      if (capture?.component.name === component)
        return { downstreamConnections: await capture.readConnections() }
      const found = raised.find(({ deployed }) => deployed.component.name === component)
      // The application, and what functions call, are this repository's own on every arm.
      if (!found) return readReferenceCounters(await host.fetchAdmin(component, '/metrics'))
      return programOf(found.spec.hop).readCounters((page) => host.fetchAdmin(component, page), found.spec)
    },
    prove: async () => [
      ...(await proveEncryptedLegs(raised, host, credentials.impostors)),
      ...(await Promise.all(inPods.map((socket) => proveSocket(...socket)))),
      ...(network ? await proveCarriage(network, scope, path, capture?.endpoint ?? next) : []),
      ...(arm.copy ? [] : await proveStart(network, host, scope, capture?.endpoint, raised[0]?.deployed)),
    ],
  }
}

/** What a client sends before its first hop is there; where hops are dialled it is sent nowhere. */
async function proveStart(
  network: ArmNetwork | undefined,
  host: Host,
  scope: Scope,
  endpoint: Endpoint | undefined,
  first: Deployed | undefined,
) {
  if (!network || !endpoint || !first || !host.change) return []
  const client = await network.pod('client', 'client')
  const change = async (what: 'kill' | 'start') => host.change?.(first.component.name, { do: what })
  return lookWhileAway({ network, scope, client, endpoint, change })
}

async function proveCarriage(network: ArmNetwork, scope: Scope, path: Path, endpoint: Endpoint) {
  const client = await network.pod('client', 'client')
  return proveWire({ network, scope, client, endpoint, expected: isClear(path) ? 'clear' : 'encrypted' })
}

/** The component of a hop, named the same way for every vendor. */
export function hopComponent({ arm, hop }: HopSpec): Workload['component'] {
  return { name: `${arm.id}/${hop.name}`, arm: arm.id, hop: hop.name, category: hop.layer, node: hop.node }
}

/** PEM files that a hop with an encrypted leg needs. */
export function credentialFiles({ identity, downstreamLeg, upstreamLeg }: HopSpec): Record<string, string> {
  if (downstreamLeg === 'plain' && upstreamLeg === 'plain') return {}
  return { 'cert.pem': identity.certPem, 'key.pem': identity.keyPem, 'ca.pem': identity.caPem }
}

export function endpointOf(deployed: Deployed, listener: string): Endpoint {
  const endpoint = deployed.endpoints[listener]
  if (!endpoint) throw new Error(`${deployed.component.name} has no listener named ${listener}`)
  return endpoint
}
