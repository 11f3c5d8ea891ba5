/** Renders the configs of the reference mesh's hops: pure, so that they can be read in a test. */
import type { Endpoint, Hop, Identity, LegTransport, Placement } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { isConnect, securityOf } from '../../../harness/model/paths.js'
import { shareName, type HopSettings } from '../hops/settings.js'
import type { ServiceEndpoints } from '../services/called-services.js'
import { serviceAuthority, trustDomain } from './names.js'

/** All that decides a hop's config. */
export interface HopPlacement {
  readonly hop: Hop
  readonly identity: Identity
  readonly placement: Placement
  readonly upstream: Endpoint
  readonly downstreamLeg: LegTransport
  readonly upstreamLeg: LegTransport
  /** SPIFFE id of the hop before, absent when the client comes straight here. */
  readonly downstreamId?: string
  /** SPIFFE id of the hop after, absent when the application is next. */
  readonly upstreamId?: string
  readonly settings: HopSettings
  readonly services?: ServiceEndpoints
}

export function tunnelConfig(options: HopPlacement): unknown {
  const { hop, identity, placement, upstream, downstreamLeg, upstreamLeg, upstreamId, settings } = options
  const fd = placement.descriptors?.downstream
  const listen = {
    ...{ name: 'downstream', host: placement.bindHost, port: placement.ports.downstream },
    ...defined({ fd }),
  }
  return {
    admin: { host: placement.bindHost, port: placement.ports.admin },
    trustDomain,
    drainMs: 1_000,
    workloads: [{ spiffeId: identity.spiffeId, ...credentialFiles(placement) }],
    ...defined({ connectionMetrics: settings.tunnel?.connectionMetrics }),
    pool: { maxStreamsPerConnection: 100, ...settings.tunnel?.pool },
    listeners: [
      hop.role === 'tunnel-outbound'
        ? {
            ...listen,
            kind: 'capture',
            source: identity.spiffeId,
            destination: {
              authority: serviceAuthority,
              via: upstream,
              expect: upstreamId ? [upstreamId] : [],
              security: securityOf(upstreamLeg),
            },
          }
        : {
            ...listen,
            kind: 'hbone',
            security: securityOf(downstreamLeg),
            routes: [
              {
                authority: serviceAuthority,
                workload: identity.spiffeId,
                to: settings.tunnel?.endpoints?.map(({ at = upstream }) => at) ?? upstream,
                ...defined({ balance: settings.tunnel?.balance, allow: rules(options) }),
              },
            ],
          },
    ],
  }
}

/** Who may reach the service, and at which ports. Without certificates of clients nobody is known: undefined lets all in. */
function rules({ downstreamLeg, downstreamId, settings }: HopPlacement) {
  const ports = settings.tunnel?.ports
  if (downstreamId === undefined) return []
  const principals = securityOf(downstreamLeg) === 'mtls' ? [downstreamId] : undefined
  return principals || ports ? [defined({ principals, ports })] : undefined
}

export function proxyConfig(options: HopPlacement): unknown {
  const { identity, placement, downstreamLeg, upstreamLeg, downstreamId, settings } = options
  const encrypted = downstreamLeg !== 'plain' || upstreamLeg !== 'plain'
  return {
    admin: { host: placement.bindHost, port: placement.ports.admin },
    trustDomain,
    drainMs: 1_000,
    ...(settings.proxy?.workers === undefined ? {} : { workers: settings.proxy.workers }),
    ...(encrypted ? { identity: { spiffeId: identity.spiffeId, ...credentialFiles(placement) } } : {}),
    listeners: [
      {
        name: 'downstream',
        host: placement.bindHost,
        port: placement.ports.downstream,
        transport: downstreamLeg,
        ...(downstreamId && securityOf(downstreamLeg) === 'mtls' ? { expect: [downstreamId] } : {}),
        ...(isConnect(downstreamLeg) ? { authorities: [serviceAuthority] } : {}),
      },
    ],
    ...targets(options),
    filters: settings.proxy?.filters ?? {},
  }
}

/**
 * One cluster of the server, or one for each share of a split; zones are endpoints of each. What functions call is a cluster
 * by its own name.
 */
function targets({ upstream, upstreamLeg, upstreamId, settings, services = {} }: HopPlacement) {
  const { split = [{ weight: 1 }], zones } = settings.proxy ?? {}
  const shares = split.map(({ weight, at = upstream }, index) => ({
    ...{ name: shareName('server', index), weight },
    endpoints: zones?.map((zone) => ({ ...(zone.at ?? at), locality: zone.name })) ?? [at],
  }))
  return {
    clusters: [
      ...shares.map(({ name, endpoints }) => ({
        ...{ name, endpoints, transport: upstreamLeg, protocol: 'client' },
        ...(upstreamId ? { expect: [upstreamId] } : {}),
        ...(isConnect(upstreamLeg) ? { authority: serviceAuthority } : {}),
      })),
      ...Object.entries(services).map(([name, { protocol, ...at }]) => ({
        ...{ name, endpoints: [at], transport: 'plain', protocol },
      })),
    ],
    routes: [
      {
        match: { prefix: '/' },
        ...(shares.length === 1
          ? { cluster: 'server' }
          : { split: shares.map(({ name, weight }) => ({ cluster: name, weight })) }),
      },
    ],
  }
}

function credentialFiles({ file }: Placement) {
  return { certFile: file('cert.pem'), keyFile: file('key.pem'), caFile: file('ca.pem') }
}
