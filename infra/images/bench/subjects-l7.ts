/** The L7 rows: haproxy and our proxy, plain HTTP/1.1 on both sides. */
import type { ListenerAddress } from '../kit/process/image.js'
import { startImage } from '../kit/testing.js'
import { freePort, startHaproxy, startNginx } from './peers.js'
import type { Subject } from './subject.js'

const haproxyHttp: Subject = {
  name: 'haproxy HTTP',
  async start(workspace, application) {
    const port = await freePort()
    const proxy = await startHaproxy(
      workspace,
      'haproxy-http',
      port,
      `frontend in
  mode http
  bind 127.0.0.1:${port}
  default_backend app
backend app
  mode http
  http-reuse always
  server app 127.0.0.1:${application.port}`,
    )
    return { entry: proxy.address, hops: [{ name: 'proxy', pid: proxy.pid }], stop: () => proxy.stop() }
  },
}

const nginxHttp: Subject = {
  name: 'nginx HTTP',
  async start(workspace, application) {
    const port = await freePort()
    const proxy = await startNginx(
      workspace,
      'nginx-http',
      port,
      `upstream app { server 127.0.0.1:${application.port}; keepalive 1100; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0; }
  }`,
    )
    return { entry: proxy.address, hops: [{ name: 'proxy', pid: proxy.pid }], stop: () => proxy.stop() }
  },
}

const proxy = (name: string, filters: Record<string, unknown>): Subject => ({
  name,
  async start(workspace, application, nodeArguments = []) {
    const config = {
      admin: { host: '127.0.0.1', port: 0 },
      listeners: [{ name: 'downstream', host: '127.0.0.1', port: 0, transport: 'plain' }],
      clusters: [
        {
          name: 'server',
          endpoints: [{ host: application.host, port: application.port }],
          transport: 'plain',
        },
      ],
      routes: [{ match: { prefix: '/' }, cluster: 'server' }],
      filters,
    }
    const image = await startImage('proxy', workspace, config, { nodeArguments })
    return {
      entry: image.listeners['downstream'] as ListenerAddress,
      hops: [{ name: 'proxy', pid: image.pid }],
      async stop(signal: NodeJS.Signals = 'SIGKILL') {
        await image.stop(signal)
      },
    }
  },
})

/** The first is the peer that the others are compared with. */
export const l7Subjects: readonly Subject[] = [
  haproxyHttp,
  proxy('proxy HTTP', {}),
  proxy('proxy with functions', {
    requestMetrics: {},
    trace: {},
    timeouts: { requestMs: 15_000 },
    headers: { request: { set: { 'x-bench': '1' } } },
  }),
  nginxHttp,
]
