/** The proxy as real processes in each of its roles, with the tunnel beside it: who is asked for, who is told, who is refused. */
import { execFile } from 'node:child_process'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ListenerAddress } from '../../kit/net/address.js'
import {
  type RunningImage,
  type WorkloadFiles,
  createTestAuthority,
  createWorkspace,
  spiffe,
  startImage,
  trustDomain,
  writeWorkload,
} from '../../kit/testing.js'
import { type TestUpstream, ask, startUpstream } from './testing.js'

const run = promisify(execFile)
const authorityName = 'server.bench:8080'
const workspace = createWorkspace()
const running: RunningImage[] = []
let upstream: TestUpstream
let files: Record<'client' | 'server' | 'waypoint' | 'stranger', WorkloadFiles>

beforeAll(async () => {
  const authority = await createTestAuthority()
  const names = ['client', 'server', 'waypoint', 'stranger'] as const
  files = Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, await writeWorkload(workspace, authority, name)] as const),
    ),
  ) as typeof files
  const foreign = await createTestAuthority('other.local')
  await writeWorkload(workspace, foreign, 'client', { file: 'foreign' })
  await writeWorkload(workspace, authority, 'client', {
    file: 'expired',
    notBefore: new Date(Date.now() - 7_200_000),
    notAfter: new Date(Date.now() - 3_600_000),
  })
  upstream = await startUpstream()
})
afterAll(async () => {
  await Promise.all(running.map((image) => image.stop('SIGKILL')))
  upstream.close()
  workspace.remove()
})

const start = async (image: 'proxy' | 'tunnel', config: Record<string, unknown>): Promise<RunningImage> => {
  const started = await startImage(image, workspace, {
    admin: { host: '127.0.0.1', port: 0 },
    trustDomain,
    drainMs: 1000,
    ...config,
  })
  running.push(started)
  return started
}
const proxyConfig = (
  own: WorkloadFiles | undefined,
  listener: Record<string, unknown>,
  to: ListenerAddress,
  cluster: Record<string, unknown>,
) => ({
  ...(own ? { identity: own } : {}),
  listeners: [{ name: 'downstream', host: '127.0.0.1', port: 0, ...listener }],
  clusters: [{ name: 'server', endpoints: [{ host: to.host, port: to.port }], ...cluster }],
  routes: [{ match: { prefix: '/' }, cluster: 'server' }],
})
const entry = (image: RunningImage) => image.listeners['downstream'] as ListenerAddress

describe('two sidecars', () => {
  let inbound: RunningImage
  let outbound: RunningImage
  beforeAll(async () => {
    inbound = await start(
      'proxy',
      proxyConfig(files.server, { transport: 'mtls', expect: [spiffe('client')] }, upstream, {
        transport: 'plain',
      }),
    )
    outbound = await start(
      'proxy',
      proxyConfig(files.client, { transport: 'plain' }, entry(inbound), {
        transport: 'mtls',
        expect: [spiffe('server')],
      }),
    )
  })

  it('carry requests and tell the server who asks', async () => {
    const before = upstream.seen.length
    const answer = await ask(entry(outbound), {
      method: 'POST',
      path: '/mtls',
      body: 'x'.repeat(100_000),
      headers: { 'x-forwarded-client-cert': 'URI=spiffe://forged/x' },
    })
    expect(answer.body.length).toBe(100_000)
    expect(upstream.seen[before]?.headers['x-forwarded-client-cert']).toBe(
      `By=${spiffe('server')};URI=${spiffe('client')}`,
    )
    await Promise.all(Array.from({ length: 20 }, () => ask(entry(outbound))))
    for (const image of [outbound, inbound]) {
      expect(await image.metric('meshbench_requests_total', '2xx')).toBe(21)
    }
    expect(
      await inbound.metric('meshbench_tls_handshakes_total', 'server', spiffe('client')),
    ).toBeGreaterThan(0)
    expect(await outbound.metric('meshbench_tls_handshakes_total', 'client', spiffe('server'))).toBe(
      await outbound.metric('meshbench_upstream_connections_total'),
    )
  })

  it('refuse a peer that is not whom they expect', async () => {
    const wrong = await start(
      'proxy',
      proxyConfig(files.stranger, { transport: 'plain' }, entry(inbound), { transport: 'mtls' }),
    )
    expect((await ask(entry(wrong))).status).toBeGreaterThanOrEqual(502)
    expect(
      await inbound.metric('meshbench_tls_handshake_failures_total', 'unexpected-identity'),
    ).toBeGreaterThan(0)
    const misled = await start(
      'proxy',
      proxyConfig(files.client, { transport: 'plain' }, entry(inbound), {
        transport: 'mtls',
        expect: [spiffe('waypoint')],
      }),
    )
    expect((await ask(entry(misled))).status).toBe(503)
    expect(await misled.metric('meshbench_tls_handshake_failures_total', 'unexpected-identity')).toBe(1)
  })

  it('take no plaintext, no missing, foreign or expired certificate', async () => {
    const { host, port } = entry(inbound)
    const before = upstream.seen.length
    const plain = await new Promise<string>((resolve) => {
      let text = ''
      const socket = connectTcp({ host, port }, () => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'))
      socket.setEncoding('latin1').on('data', (part: string) => (text += part))
      socket.on('error', () => {})
      socket.on('close', () => {
        resolve(text)
      })
    })
    expect(plain).not.toContain('HTTP/')
    const { readFileSync } = await import('node:fs')
    const read = (name: string) => readFileSync(`${workspace.dir}/${name}`)
    for (const own of [undefined, 'foreign', 'expired']) {
      const answer = await new Promise<string>((resolve) => {
        let text = ''
        const socket = connectTls({
          host,
          port,
          ca: read('server.ca'),
          checkServerIdentity: () => undefined,
          ...(own ? { cert: read(`${own}.crt`), key: read(`${own}.key`) } : {}),
        })
        socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'))
        socket.setEncoding('latin1').on('data', (part: string) => (text += part))
        socket.on('error', () => {})
        socket.on('close', () => {
          resolve(text)
        })
      })
      expect([own, answer]).toEqual([own, ''])
    }
    expect(upstream.seen.length).toBe(before)
    const version = await run('openssl', ['s_client', '-connect', `${host}:${port}`, '-tls1_2']).then(
      () => 'accepted',
      (error: { stdout?: string; code?: unknown }) =>
        error.code === 'ENOENT' ? 'no openssl here' : 'refused',
    )
    expect(version).not.toBe('accepted')
  })
})

describe('an mTLS listener', () => {
  it('closes handshakes that do not go on, and bounds those that are under way', async () => {
    const target = await start('proxy', {
      ...proxyConfig(files.server, { transport: 'mtls' }, upstream, { transport: 'plain' }),
      limits: { connections: 3, hbone: { handshakeTimeoutMs: 300 } },
    })
    let closed = 0
    const sockets = Array.from({ length: 5 }, () => {
      const socket = connectTcp(entry(target))
      socket.on('error', () => {})
      socket.on('close', () => closed++)
      return socket
    })
    // Two are one too many each, and go before anything times out.
    await expect.poll(() => target.metric('meshbench_tls_handshake_failures_total', 'too-many')).toBe(2)
    await expect.poll(() => closed, { timeout: 5000 }).toBe(5)
    expect(await target.metric('meshbench_tls_handshake_failures_total', 'TIMEOUT')).toBe(3)
    for (const socket of sockets) socket.destroy()
  })
})

describe('a waypoint between two tunnels', () => {
  it('keeps the identity of the client and shows its own', async () => {
    const serverTunnel = await start('tunnel', {
      workloads: [files.server],
      listeners: [
        {
          kind: 'hbone',
          name: 'downstream',
          host: '127.0.0.1',
          port: 0,
          routes: [
            {
              authority: authorityName,
              workload: spiffe('server'),
              to: { host: upstream.host, port: upstream.port },
              allow: [{ principals: [spiffe('waypoint')] }],
            },
          ],
        },
      ],
    })
    const waypoint = await start(
      'proxy',
      proxyConfig(
        files.waypoint,
        { transport: 'hbone', expect: [spiffe('client')], authorities: [authorityName] },
        entry(serverTunnel),
        { transport: 'hbone', expect: [spiffe('server')], authority: authorityName },
      ),
    )
    const clientTunnel = async (own: WorkloadFiles, authority: string) =>
      start('tunnel', {
        workloads: [own],
        listeners: [
          {
            kind: 'capture',
            name: 'downstream',
            host: '127.0.0.1',
            port: 0,
            source: own.spiffeId,
            destination: { authority, via: entry(waypoint), expect: [spiffe('waypoint')] },
          },
        ],
      })
    const client = await clientTunnel(files.client, authorityName)
    const before = upstream.seen.length
    const body = 'w'.repeat(1_000_000)
    expect((await ask(entry(client), { method: 'POST', body })).body).toBe(body)
    expect(upstream.seen[before]?.headers['x-forwarded-client-cert']).toBe(
      `By=${spiffe('waypoint')};URI=${spiffe('client')}`,
    )
    await Promise.all(Array.from({ length: 30 }, (_, i) => ask(entry(client), { path: `/${i}` })))
    expect(await waypoint.metric('meshbench_requests_total', '2xx')).toBe(31)
    expect(await waypoint.metric('meshbench_downstream_connections_total')).toBe(31)
    expect(await waypoint.metric('meshbench_tls_handshakes_total', 'server', spiffe('client'))).toBe(1)
    expect(await waypoint.metric('meshbench_tls_handshakes_total', 'client', spiffe('server'))).toBe(1)
    // TCP connections, and not the streams in them.
    expect(await waypoint.metric('meshbench_upstream_connections_total')).toBe(1)
    expect(await client.metric('meshbench_upstream_connections_total')).toBe(1)
    expect(await serverTunnel.metric('meshbench_upstream_connections_total')).toBeGreaterThan(0)
    for (const bad of [
      await clientTunnel(files.stranger, authorityName),
      await clientTunnel(files.client, 'else:1'),
    ]) {
      await expect(ask(entry(bad))).rejects.toThrow()
    }
    expect(await waypoint.metric('meshbench_hbone_refusals_total', '401')).toBe(1)
    expect(await waypoint.metric('meshbench_hbone_refusals_total', '404')).toBe(1)
    expect(await waypoint.metric('meshbench_requests_total')).toBe(31)
  })
})
