/**
 * A mesh without a process on the way: a service's address and its policy are held by the kernel's own means. What they
 * cost is kernel time in the application, the generator and the host's remainder.
 */
import type { z } from 'zod'
import type {
  Arm,
  Component,
  EnvironmentRequest,
  Fact,
  Mesh,
  MeshContext,
  Path,
  ProofCheck,
  RaisedArm,
} from '../../../harness/model.js'
import { settingsOf } from '../../../harness/model/variants.js'
import { endpointOf } from '../hops/hop-mesh.js'
import { readReferenceCounters } from '../reference/counters.js'
import { serviceAuthority } from '../reference/names.js'
import { namespacesOf, type ArmNetwork, type Pod } from './arm-network.js'
import { servicePort, type ServiceRules } from './rules.js'
import { askCommand, proveWire, wireFact } from './wire.js'
import { proveTransfer, type JoinOptions, type WireguardEnd } from './wireguard.js'

/** Cumulative: connections led to the server's pod, connections let in, packets of others dropped. */
export interface ServiceCounts {
  readonly translated: number
  readonly allowed: number
  readonly denied: number
}

/** A service that is known on the client's node, with its policy on the server's. */
export interface KernelService {
  read(): Promise<ServiceCounts>
  /** Without one everybody who knows the service is let in; absent: the client alone is. */
  readonly policy?: 'none'
  /** Lets a further pod of the client's node ask for the service; absent where every pod can. */
  introduce?(pod: Pod): Promise<void>
  /** What it can show beside its counters once a request has been answered. */
  prove?(): Promise<readonly ProofCheck[]>
}

export interface KernelMeshOptions extends Pick<Mesh, 'name' | 'summary' | 'check'> {
  /** What a reader of the report must know of the arms that are measured. */
  facts(request: EnvironmentRequest): Promise<readonly Fact[]>
  /** Beside `l4-kernel`: path → what joins the nodes on it. */
  readonly joins?: Readonly<Record<string, (options: JoinOptions) => Promise<readonly WireguardEnd[]>>>
  /** What `meshSettings` may hold of it; absent: nothing, and its arms are all the same. */
  readonly settings?: z.ZodType<KernelSettings>
  serve(
    network: ArmNetwork,
    rules: ServiceRules,
    context: MeshContext,
    settings: KernelSettings,
  ): Promise<KernelService>
}

export interface KernelSettings {
  /** False: no policy, so that strangers are let in as well. Default: true. */
  readonly policy?: boolean | undefined
}

export function createKernelMesh(options: KernelMeshOptions): Mesh {
  const { name, summary, joins = {}, settings } = options
  return {
    name,
    summary,
    paths: ['l4-kernel', ...Object.keys(joins)],
    livesOn: 'namespaces',
    // Its settings alone: no program of this repository is on the way.
    ...(settings && { settings, varies: [] }),
    check: (request, on) => options.check(request, on),
    async install(context) {
      return {
        facts: [...(await options.facts(context.request)), await wireFact()],
        components: [],
        raise: (arm, path) => raise(options, context, arm, path),
      }
    },
  }
}

async function raise(
  options: KernelMeshOptions,
  context: MeshContext,
  arm: Arm,
  path: Path,
): Promise<RaisedArm> {
  const host = namespacesOf(context.host)
  const network = await host.networkFor(arm)
  const application = await host.startApplication(arm, path)
  const http = endpointOf(application, 'http')
  const client = await network.pod('client', 'client')
  const rules = {
    service: network.serviceAddress,
    server: { address: http.host, port: http.port },
    clientAddress: client.address,
  }
  const settings: KernelSettings = settingsOf(context.request.config, arm)
  const service = await options.serve(network, rules, context, settings)
  const ends = (await options.joins?.[path.name]?.({ arm, network, host, scope: context.scope })) ?? []
  const component: Component = { name: `${arm.id}/rules`, arm: arm.id, category: 'l4', node: 'client' }
  return {
    endpoint: { host: network.serviceAddress, port: servicePort, authority: serviceAuthority },
    application: application.component,
    components: [component, ...ends.map((end) => end.component)],
    async readCounters(name) {
      const end = ends.find((other) => other.component.name === name)
      if (end) return end.readCounters()
      if (name !== component.name) return readReferenceCounters(await host.fetchAdmin(name, '/metrics'))
      return { downstreamConnections: (await service.read()).translated }
    },
    async prove() {
      const endpoint = { host: network.serviceAddress, port: servicePort }
      const expected = ends.length === 0 ? 'clear' : 'encrypted'
      return [
        ...(await prove(network, service, client, ends)),
        ...(await proveWire({ network, scope: context.scope, client, endpoint, expected })),
      ]
    },
  }
}

/** The client is answered through the kernel, and a stranger is dropped by it. */
async function prove(
  network: ArmNetwork,
  service: KernelService,
  client: Pod,
  ends: readonly WireguardEnd[],
): Promise<readonly ProofCheck[]> {
  const readEnds = () => Promise.all(ends.map((end) => end.readCounters()))
  const carried = await readEnds()
  const url = `http://${network.serviceAddress}:${servicePort}/echo?size=1`
  const before = await service.read()
  const answered = (await client.namespace.run(askCommand(url))).trim()
  const between = await service.read()
  const shown = [...((await service.prove?.()) ?? []), ...proveTransfer(ends, carried, await readEnds())]
  const stranger = await network.pod('client', 'stranger')
  await service.introduce?.(stranger)
  const refused = (await stranger.namespace.run(askCommand(url))).trim()
  const after = await service.read()
  const asked = between.translated - before.translated
  const allowed = between.allowed - before.allowed
  const denied = after.denied - between.denied
  const led = after.translated - between.translated
  const way = [
    isAnswered('request to the service', answered),
    countCheck('connections led to the server', '1', asked, asked === 1),
  ]
  if (service.policy === 'none')
    return [
      ...way,
      ...shown,
      isAnswered('a stranger is answered, for want of a policy', refused),
      countCheck('connections of the stranger led to the server', '1', led, led === 1),
    ]
  return [
    ...way,
    countCheck('connections allowed by the policy', '1', allowed, allowed === 1),
    ...shown,
    {
      name: 'a stranger is dropped',
      ok: refused.startsWith('failed'),
      expected: 'no answer',
      actual: refused,
    },
    // A stranger who is led nowhere would be dropped by nobody.
    countCheck('connections of the stranger led to the server', 'at least 1', led, led >= 1),
    countCheck('packets denied by the policy', 'at least 1', denied, denied >= 1),
  ]
}

function isAnswered(name: string, actual: string): ProofCheck {
  return { name, ok: actual === 'status 200', expected: 'status 200', actual }
}

export function countCheck(name: string, expected: string, value: number, ok: boolean): ProofCheck {
  return { name, ok, expected, actual: String(value) }
}
