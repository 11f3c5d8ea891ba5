/** haproxy as L7 hop: the lean proxy that many already run, under the same conditions as the others. */
import type { BinaryNeed } from '../../supply/binaries.js'
import type { HopCounters, Placement } from '../../../harness/model.js'
import { hopLimits as limits, sizingFact } from '../hops/hop-limits.js'
import { createHopMesh, credentialFiles, dnsNameOf, vendorHop, type HopSpec } from '../hops/hop-mesh.js'

const need: BinaryNeed = {
  name: 'haproxy',
  variable: 'HAPROXY_BIN',
  // Debian keeps daemons out of the PATH of users.
  folders: ['/usr/sbin', '/usr/local/sbin'],
  versionArgs: ['-v'],
  version: /version ([^\s]+)/i,
  remedy: 'apt-get install haproxy, or set HAPROXY_BIN',
}

export const haproxyHop = vendorHop({
  need,
  transparent: true,
  facts: () => [
    sizingFact('haproxy'),
    {
      name: 'haproxy identities',
      value:
        'it cannot match URI SANs: the server by a DNS SAN of its SVID, the client by the SAN inside its certificate',
    },
  ],
  // In the foreground, one process.
  args: ['-db', '-f', '{config}'],
  readyPath: '/ready',
  files(spec) {
    const { 'ca.pem': ca, 'cert.pem': cert, 'key.pem': key } = credentialFiles(spec)
    return ca === undefined ? {} : { 'ca.pem': ca, 'identity.pem': `${cert}\n${key}\n` }
  },
  config: renderHaproxy,
  readCounters: async (fetchAdmin, spec) => haproxyCounters(await fetchAdmin('/stats;csv'), spec),
})

/** The configuration of a hop. Pure. */
export function renderHaproxy(spec: HopSpec, { bindHost, ports, file }: Placement): string {
  const { upstream, downstreamLeg, upstreamLeg, before, after, settings } = spec
  const tlsIn =
    downstreamLeg === 'mtls'
      ? ` ssl crt '${file('identity.pem')}' ca-file '${file('ca.pem')}' verify required alpn h2,http/1.1`
      : ''
  const tlsOut =
    upstreamLeg === 'mtls' && after
      ? ` ssl crt '${file('identity.pem')}' ca-file '${file('ca.pem')}' verify required verifyhost ${dnsNameOf(after.spiffeId)}`
      : undefined
  const server = (name: string, alpn: string, clear: string) =>
    `  server ${name} ${upstream.host}:${upstream.port} maxconn ${limits.upstreamConnections} pool-max-conn -1 pool-purge-delay ${limits.upstreamIdleMs}${tlsOut === undefined ? clear : `${tlsOut} alpn ${alpn}`}`
  const lines = [
    'global',
    `  nbthread ${limits.workers}`,
    '  ssl-default-bind-options ssl-min-ver TLSv1.3',
    '  ssl-default-server-options ssl-min-ver TLSv1.3',
    '  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
    '  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
    '  ssl-default-bind-curves X25519:P-256',
    `  tune.bufsize ${limits.headerBytes}`,
    `  tune.http.maxhdr ${limits.headerCount + 1}`,
    '',
    'defaults',
    '  mode http',
    `  timeout client ${limits.idleMs}`,
    `  timeout http-keep-alive ${limits.idleMs}`,
    `  timeout http-request ${limits.headersTimeoutMs}`,
    `  timeout connect ${limits.connectTimeoutMs}`,
    // Without a limit on requests the longest silence is that of an idle connection.
    `  timeout server ${limits.idleMs}`,
    `  retries ${limits.retries}`,
    // A connection that closes without a request is no request.
    '  option http-ignore-probes',
    // Any idle connection may carry any client's next request, as in the other proxies' pools.
    '  http-reuse always',
    '',
    'frontend downstream',
    `  bind ${bindHost}:${ports.downstream ?? 0}${settings.capture === 'tproxy' ? ' transparent' : ''}${tlsIn}`,
    ...(downstreamLeg === 'mtls' && before
      ? [
          // Once for each connection: the certificate cannot change on it.
          `  tcp-request session reject unless { ssl_c_der,hex -m sub -i ${sanPattern(before.spiffeId)} }`,
        ]
      : []),
    '  default_backend service',
    '',
    'backend service',
    // A request goes on in the protocol that its client speaks, as with the other proxies: gRPC is none without it.
    '  use-server server-h2 if { req.ver 2.0 }',
    server('server', 'http/1.1', ''),
    `${server('server-h2', 'h2', ' proto h2')} weight 0`,
    '',
    'frontend admin',
    `  bind ${bindHost}:${ports.admin ?? 0}`,
    '  monitor-uri /ready',
    '  stats enable',
    '  stats uri /stats',
    '  stats show-modules',
    '',
  ]
  return lines.join('\n')
}

/**
 * The SPIFFE id as it stands in a certificate's DER: a URI name (tag 0x86) with its length before it, so that no longer
 * id matches. haproxy 2.6 has no way to read a SAN.
 */
function sanPattern(id: string): string {
  const bytes = Buffer.from(id)
  if (bytes.length > 127) throw new Error(`${id} is too long for a one-byte DER length`)
  return Buffer.concat([Buffer.from([0x86, bytes.length]), bytes]).toString('hex')
}

/** Reads the CSV of haproxy's statistics page. Throws when it is not that. */
export function haproxyCounters(csv: string, spec: HopSpec): HopCounters {
  const [heading = '', ...lines] = csv.trim().split('\n')
  if (!heading.startsWith('# pxname,svname,'))
    throw new Error(`not haproxy's statistics: ${csv.slice(0, 120)}`)
  const columns = heading.slice(2).split(',')
  const cell = (proxy: string, server: string, column: string): number => {
    const index = columns.indexOf(column)
    const row = lines
      .map((line) => line.split(','))
      .find((cells) => cells[0] === proxy && cells[1] === server)
    const value = row?.[index]
    if (index < 0 || value === undefined)
      throw new Error(`no ${column} of ${proxy}/${server} in haproxy's statistics`)
    return Number(value)
  }
  const { downstreamLeg, upstreamLeg, before, after } = spec
  const tlsHandshakesServer = downstreamLeg === 'mtls' ? cell('downstream', 'FRONTEND', 'ssl_sess') : 0
  const tlsHandshakesClient = upstreamLeg === 'mtls' ? cell('service', 'BACKEND', 'ssl_sess') : 0
  const peers = [
    ...(tlsHandshakesServer > 0 && before ? [before.spiffeId] : []),
    ...(tlsHandshakesClient > 0 && after ? [after.spiffeId] : []),
  ]
  return {
    requests: cell('downstream', 'FRONTEND', 'req_tot'),
    downstreamConnections: cell('downstream', 'FRONTEND', 'conn_tot'),
    upstreamConnections: cell('service', 'BACKEND', 'connect'),
    hboneStreams: 0,
    tlsHandshakesServer,
    tlsHandshakesClient,
    receivedBytes: cell('downstream', 'FRONTEND', 'bin'),
    sentBytes: cell('downstream', 'FRONTEND', 'bout'),
    ...(peers.length === 0 ? {} : { peers }),
  }
}

export const haproxy = createHopMesh({
  name: 'haproxy',
  summary: 'haproxy as sidecar and per-node proxy',
  paths: ['l7-per-node', 'l7-sidecar-to-sidecar'],
  l7: haproxyHop,
})
