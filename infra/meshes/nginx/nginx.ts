/** nginx as L7 hop: the proxy that more sites run than any other, under the same conditions as the others. */
import { X509Certificate } from 'node:crypto'
import type { BinaryNeed } from '../../supply/binaries.js'
import type { HopCounters, Placement } from '../../../harness/model.js'
import { hopLimits as limits, sizingFact } from '../hops/hop-limits.js'
import { createHopMesh, dnsNameOf, vendorHop, type HopSpec } from '../hops/hop-mesh.js'

const need: BinaryNeed = {
  name: 'nginx',
  variable: 'NGINX_BIN',
  folders: ['/usr/sbin', '/usr/local/sbin'],
  versionArgs: ['-v'],
  version: /nginx\/([^\s]+)/,
  remedy: 'apt-get install nginx-light, or set NGINX_BIN',
}

/** nginx counts a look at its statistics as a request like any other, so each hop's looks are counted here. */
const looks = new WeakMap<HopSpec, number>()

export const nginxHop = vendorHop({
  need,
  // It dials servers with HTTP/1 alone, and before 1.25 has no h2c beside it on a plain listener.
  protocols: ['http1'],
  facts: () => [
    sizingFact('nginx'),
    {
      name: 'nginx identities',
      value:
        'it cannot match URI SANs: the server by a DNS SAN of its SVID, the client by the fingerprint of its certificate',
    },
    {
      name: 'nginx counters',
      value:
        'requests and connections from clients alone; it tells neither handshakes nor upstream connections',
    },
  ],
  args: ['-p', '{folder}', '-e', 'stderr', '-c', '{config}'],
  readyPath: '/status',
  config: renderNginx,
  async readCounters(fetchAdmin, spec) {
    const page = await fetchAdmin('/status')
    const before = looks.get(spec) ?? 0
    looks.set(spec, before + 1)
    return nginxCounters(page, before)
  },
})

/** The configuration of a hop. Pure. */
export function renderNginx(spec: HopSpec, { bindHost, ports, file }: Placement): string {
  const { upstream, downstreamLeg, upstreamLeg, before, after } = spec
  const mtlsIn = downstreamLeg === 'mtls' && before
  const mtlsOut = upstreamLeg === 'mtls' && after
  return `daemon off;
# One process, so that its CPU is its own; the master has nothing to do here.
master_process off;
worker_processes ${limits.workers};
pid nginx.pid;
error_log stderr warn;

events {
  worker_connections 10240;
}

http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  tcp_nodelay on;
  server_tokens off;
  large_client_header_buffers 4 ${limits.headerBytes / 1024}k;
  client_header_timeout ${seconds(limits.headersTimeoutMs)};
  keepalive_timeout ${seconds(limits.idleMs)};
  # Its defaults close a connection after 1 000 requests, which no other proxy here does.
  keepalive_requests 1000000000;

  upstream service {
    server ${upstream.host}:${upstream.port} max_conns=${limits.upstreamConnections};
    # Slots are allocated at the start; more connections than these are not kept.
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout ${seconds(limits.upstreamIdleMs)};
  }
${mtlsIn ? clientMap(before.certPem) : ''}
  server {
    listen ${bindHost}:${ports.downstream ?? 0}${mtlsIn ? ' ssl http2' : ''};
${mtlsIn ? tlsIn(file) : ''}    location / {
      proxy_pass ${mtlsOut ? 'https' : 'http'}://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_connect_timeout ${seconds(limits.connectTimeoutMs)};
      proxy_read_timeout ${seconds(limits.idleMs)};
      proxy_next_upstream off;
      # Requests and replies stream through, as in the other proxies.
      proxy_request_buffering off;
      proxy_buffering off;
      client_max_body_size 0;
${mtlsOut ? tlsOut(file, dnsNameOf(after.spiffeId)) : ''}    }
  }

  server {
    listen ${bindHost}:${ports.admin ?? 0};
    location = /status {
      stub_status;
    }
  }
}
`
}

const seconds = (ms: number) => `${Math.ceil(ms / 1000)}s`

const ciphers = 'Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384'

function tlsIn(file: Placement['file']): string {
  return `    ssl_certificate "${file('cert.pem')}";
    ssl_certificate_key "${file('key.pem')}";
    ssl_client_certificate "${file('ca.pem')}";
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
    ssl_conf_command ${ciphers};
    ssl_ecdh_curve X25519:prime256v1;
    if ($known_client = 0) {
      return 403;
    }
`
}

function tlsOut(file: Placement['file'], serverName: string): string {
  return `      proxy_ssl_certificate "${file('cert.pem')}";
      proxy_ssl_certificate_key "${file('key.pem')}";
      proxy_ssl_trusted_certificate "${file('ca.pem')}";
      proxy_ssl_verify on;
      proxy_ssl_name ${serverName};
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_conf_command ${ciphers};
`
}

/** nginx knows of a client's certificate neither its SAN nor its SPIFFE id, so the one that may come in is pinned. */
function clientMap(certPem: string): string {
  const fingerprint = new X509Certificate(certPem).fingerprint.replaceAll(':', '').toLowerCase()
  return `
  map $ssl_client_fingerprint $known_client {
    default 0;
    ${fingerprint} 1;
  }
`
}

/**
 * Reads `stub_status`, which counts looks at itself; `looksBefore` is how many there have been through this reader. What
 * remains on top is a constant: the looks of the platform until nginx was ready.
 */
export function nginxCounters(page: string, looksBefore: number): HopCounters {
  const match = /^server accepts handled requests\n (\d+) (\d+) (\d+) $/m.exec(page)
  if (!match) throw new Error(`not nginx's stub_status: ${page.slice(0, 120)}`)
  const [, accepts, , requests] = match.map(Number)
  return {
    requests: (requests ?? 0) - looksBefore,
    // Each look comes on a connection of its own.
    downstreamConnections: (accepts ?? 0) - looksBefore,
  }
}

export const nginx = createHopMesh({
  name: 'nginx',
  summary: 'nginx as sidecar and per-node proxy',
  paths: ['l7-per-node', 'l7-sidecar-to-sidecar'],
  l7: nginxHop,
})
