import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../images/kit/process/config.js'
import { proxySchema } from '../../images/proxy/config.js'
import { tunnelSchema } from '../../images/tunnel/config.js'
import { hopLimits } from './hop-limits.js'

const admin = { host: '127.0.0.1', port: 0 }
const proxy = parseConfig(proxySchema, {
  admin,
  listeners: [{ name: 'downstream', host: '127.0.0.1', port: 0, transport: 'plain' }],
  clusters: [{ name: 'server', endpoints: [{ host: '127.0.0.1', port: 1 }], transport: 'plain' }],
  routes: [{ cluster: 'server' }],
})
const tunnel = parseConfig(tunnelSchema, {
  admin,
  listeners: [
    {
      kind: 'capture',
      name: 'downstream',
      host: '127.0.0.1',
      port: 0,
      source: 'spiffe://cluster.local/ns/a/sa/b',
      destination: { authority: 'a:1', via: { host: '127.0.0.1', port: 1 } },
    },
  ],
})

describe('limits of other vendors', () => {
  it("are the proxy's own defaults", () => {
    expect(hopLimits).toMatchObject({
      workers: proxy.workers,
      connectTimeoutMs: proxy.limits.connectTimeoutMs,
      idleMs: proxy.limits.idleMs,
      upstreamIdleMs: proxy.limits.upstreamIdleMs,
      headersTimeoutMs: proxy.limits.headTimeoutMs,
      headerCount: proxy.limits.headerCount,
      headerBytes: proxy.limits.headBytes,
      upstreamConnections: proxy.limits.connections,
    })
    // The proxy retries and times requests out only when a filter says so.
    expect(proxy.filters).not.toHaveProperty('retries')
    expect(proxy.filters).not.toHaveProperty('timeouts')
    expect(hopLimits).toMatchObject({ retries: 0, requestTimeoutMs: 0 })
  })

  it("are the tunnel's own defaults", () => {
    expect(hopLimits).toMatchObject({
      streamsPerConnection: tunnel.pool.maxStreamsPerConnection,
      tunnelIdleMs: tunnel.pool.idleMs,
    })
  })
})
