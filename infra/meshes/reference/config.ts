/** Renders the configs of the reference mesh's hops: pure, so that they can be read in a test. */
import type { Placement } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { isConnect, securityOf } from '../../../harness/model/paths.js'
import type { HopSpec } from '../hops/hop-spec.js'
import { shareName } from '../hops/settings.js'
import { serviceAuthority, trustDomain } from './names.js'

/** What a hop is made from, as far as its config says it. */
type Configured = Pick<
  HopSpec,
  | 'hop'
  | 'identity'
  | 'upstream'
  | 'downstreamLeg'
  | 'upstreamLeg'
  | 'before'
  | 'after'
  | 'settings'
  | 'services'
>

export function tunnelConfig(spec: Configured, placement: Placement): unknown {
  const { hop, identity, upstream, downstreamLeg, upstreamLeg, after, settings } = spec
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
              expect: after ? [after.spiffeId] : [],
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
                ...defined({ balance: settings.tunnel?.balance, allow: rules(spec) }),
              },
            ],
          },
    ],
  }
}

/** Who may reach the service, and at which ports. Without certificates of clients nobody is known: undefined lets all in. */
function rules({ downstreamLeg, before, settings }: Configured) {
  const ports = settings.tunnel?.ports
  if (!before) return []
  const principals = securityOf(downstreamLeg) === 'mtls' ? [before.spiffeId] : undefined
  return principals || ports ? [defined({ principals, ports })] : undefined
}

export function proxyConfig(spec: Configured, placement: Placement): unknown {
  const { identity, downstreamLeg, upstreamLeg, before, settings } = spec
  const encrypted = downstreamLeg !== 'plain' || upstreamLeg !== 'plain'
  return {
    admin: { host: placement.bindHost, port: placement.ports.admin },
    trustDomain,
    drainMs: 1_000,
    ...defined({ workers: settings.proxy?.workers }),
    ...(encrypted ? { identity: { spiffeId: identity.spiffeId, ...credentialFiles(placement) } } : {}),
    listeners: [
      {
        name: 'downstream',
        host: placement.bindHost,
        port: placement.ports.downstream,
        transport: downstreamLeg,
        ...(before && securityOf(downstreamLeg) === 'mtls' ? { expect: [before.spiffeId] } : {}),
        ...(isConnect(downstreamLeg) ? { authorities: [serviceAuthority] } : {}),
      },
    ],
    ...targets(spec),
    filters: settings.proxy?.filters ?? {},
  }
}

/**
 * One cluster of the server, or one for each share of a split; zones are endpoints of each. What functions call is a cluster
 * by its own name.
 */
function targets({ upstream, upstreamLeg, after, settings, services = {} }: Configured) {
  const { split = [{ weight: 1 }], zones } = settings.proxy ?? {}
  const shares = split.map(({ weight, at = upstream }, index) => ({
    ...{ name: shareName('server', index), weight },
    endpoints: zones?.map((zone) => ({ ...(zone.at ?? at), locality: zone.name })) ?? [at],
  }))
  return {
    clusters: [
      ...shares.map(({ name, endpoints }) => ({
        ...{ name, endpoints, transport: upstreamLeg, protocol: 'client' },
        ...(after ? { expect: [after.spiffeId] } : {}),
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
