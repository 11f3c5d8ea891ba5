/** The tunnel as a process over its life: policy, tenants, reload, rotation, drain, and what it says of a bad config. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type RunningImage,
  type WorkloadFiles,
  createTestAuthority,
  createWorkspace,
  listenTcp,
  spiffe,
  startImage,
  trustDomain,
  writeWorkload,
} from '../kit/testing.js'
import type { ListenerAddress } from '../kit/net/address.js'

const workspace = createWorkspace()
const admin = { host: '127.0.0.1', port: 0 }
const anyPort = { host: '127.0.0.1', port: 0 }
let authority: Awaited<ReturnType<typeof createTestAuthority>>
let workloads: Record<'client' | 'guest' | 'server' | 'other', WorkloadFiles>
let upstream: Awaited<ReturnType<typeof listenTcp>>
const running: RunningImage[] = []

beforeAll(async () => {
  authority = await createTestAuthority()
  workloads = {
    client: await writeWorkload(workspace, authority, 'client'),
    guest: await writeWorkload(workspace, authority, 'guest'),
    server: await writeWorkload(workspace, authority, 'server'),
    other: await writeWorkload(workspace, authority, 'other'),
  }
  upstream = await listenTcp((socket) => socket.pipe(socket))
})
afterEach(async () => {
  for (const image of running.splice(0)) await image.stop('SIGKILL')
})
afterAll(() => {
  upstream.close()
  workspace.remove()
})

const route = (authorityName: string, workload: string, extra = {}) => ({
  authority: authorityName,
  workload: spiffe(workload),
  to: { host: upstream.host, port: upstream.port },
  ...extra,
})
const inboundConfig = (routes: unknown[], extra = {}) => ({
  admin,
  trustDomain,
  workloads: [workloads.server, workloads.other],
  listeners: [{ kind: 'hbone', name: 'inbound', ...anyPort, routes }],
  ...extra,
})
const capture = (name: string, source: string, via: ListenerAddress, destination = {}) => ({
  kind: 'capture',
  name,
  ...anyPort,
  source: spiffe(source),
  destination: { authority: 'server.bench:8080', via, expect: [spiffe('server')], ...destination },
})
const outboundConfig = (listeners: unknown[], extra = {}) => ({
  admin,
  trustDomain,
  workloads: [workloads.client, workloads.guest],
  listeners,
  ...extra,
})
async function start(config: unknown, configName?: string): Promise<RunningImage> {
  const image = await startImage('tunnel', workspace, config, configName ? { configName } : {})
  running.push(image)
  return image
}
const at = (image: RunningImage, listener: string): ListenerAddress =>
  image.listeners[listener] as ListenerAddress

async function dial(address: ListenerAddress): Promise<Socket> {
  const socket = connect({ ...address, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}
/** What comes back for one message, or the error code. */
async function ping(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('data', (chunk) => {
      resolve(String(chunk))
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? 'error')
    })
    socket.once('end', () => {
      resolve('end')
    })
    socket.write('ping')
  })
}
async function until(check: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    if (await check()) return
    await sleep(50)
  }
  throw new Error('it did not come true in 10 s')
}

describe('policy', () => {
  it('is by the source workload: one outbound tunnel holds several, each with its own connection', async () => {
    const inbound = await start(
      inboundConfig([route('server.bench:8080', 'server', { allow: [{ principals: [spiffe('client')] }] })]),
    )
    const via = at(inbound, 'inbound')
    const outbound = await start(outboundConfig([capture('a', 'client', via), capture('b', 'guest', via)]))
    expect(await ping(await dial(at(outbound, 'a')))).toBe('ping')
    expect(await ping(await dial(at(outbound, 'b')))).toBe('ECONNRESET')
    expect(await inbound.metric('meshbench_hbone_refusals_total', 'status="401"')).toBe(1)
    expect(
      await outbound.metric('meshbench_connect_failures_total', 'listener="b"', 'reason="refused"'),
    ).toBe(1)
    expect(await inbound.metric('meshbench_tls_handshakes_total', 'sa/client')).toBe(1)
    expect(await inbound.metric('meshbench_tls_handshakes_total', 'sa/guest')).toBe(1)
  })

  it('answers 503 when the upstream cannot be reached', async () => {
    const gone = await listenTcp(() => {})
    gone.close()
    const inbound = await start(
      inboundConfig([route('server.bench:8080', 'server', { to: { host: gone.host, port: gone.port } })]),
    )
    const outbound = await start(outboundConfig([capture('a', 'client', at(inbound, 'inbound'))]))
    expect(await ping(await dial(at(outbound, 'a')))).toBe('ECONNRESET')
    expect(await inbound.metric('meshbench_hbone_refusals_total', 'status="503"')).toBe(1)
  })

  it('serves several workloads on one listener, by server name', async () => {
    const inbound = await start(
      inboundConfig([route('server.bench:8080', 'server'), route('other.bench:80', 'other')]),
    )
    const via = at(inbound, 'inbound')
    const other = { authority: 'other.bench:80', serverName: 'other.bench', expect: [spiffe('other')] }
    const outbound = await start(
      outboundConfig([
        capture('a', 'client', via),
        capture('b', 'client', via, other),
        capture('c', 'client', via, { ...other, serverName: 'server.bench' }),
      ]),
    )
    expect(await ping(await dial(at(outbound, 'a')))).toBe('ping')
    expect(await ping(await dial(at(outbound, 'b')))).toBe('ping')
    expect(await ping(await dial(at(outbound, 'c')))).toBe('ECONNRESET')
    expect(await outbound.metric('meshbench_tls_handshake_failures_total', 'unexpected-identity')).toBe(1)
  })
})

describe('reload', () => {
  it('changes routes, adds and removes listeners, and leaves open connections alone', async () => {
    const inbound = await start(inboundConfig([route('server.bench:8080', 'server')]), 'inbound.json')
    const via = at(inbound, 'inbound')
    const outbound = await start(outboundConfig([capture('a', 'client', via)]), 'outbound.json')
    const standing = await dial(at(outbound, 'a'))
    expect(await ping(standing)).toBe('ping')

    const config = inboundConfig([
      route('server.bench:8080', 'server', { allow: [{ principals: [spiffe('nobody')] }] }),
    ])
    writeFileSync(join(workspace.dir, 'inbound.json'), JSON.stringify(config))
    await until(async () => (await inbound.metric('meshbench_config_reloads_total', 'ok')) === 1)
    expect(await ping(standing)).toBe('ping')
    expect(await ping(await dial(at(outbound, 'a')))).toBe('ECONNRESET')

    const added = { ...capture('b', 'guest', via), ...anyPort }
    writeFileSync(join(workspace.dir, 'outbound.json'), JSON.stringify(outboundConfig([added])))
    outbound.process.kill('SIGHUP')
    await until(async () => (await outbound.metric('meshbench_config_reloads_total', 'ok')) >= 1)
    expect(await ping(standing)).toBe('ping')
    await expect(dial(at(outbound, 'a'))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('keeps the old config when the new one is bad', async () => {
    const inbound = await start(inboundConfig([route('server.bench:8080', 'server')]), 'kept.json')
    const outbound = await start(outboundConfig([capture('a', 'client', at(inbound, 'inbound'))]))
    writeFileSync(join(workspace.dir, 'kept.json'), '{"listeners": [')
    await until(async () => (await inbound.metric('meshbench_config_reloads_total', 'refused')) === 1)
    expect(await ping(await dial(at(outbound, 'a')))).toBe('ping')
    expect(inbound.log()).toContain('is not JSON')
  })

  it('keeps its listeners when the address of a new one is taken', async () => {
    const inbound = await start(inboundConfig([route('server.bench:8080', 'server')]))
    const via = at(inbound, 'inbound')
    const outbound = await start(outboundConfig([capture('a', 'client', via)]), 'taken.json')
    const taken = { ...capture('b', 'client', via), port: via.port }
    writeFileSync(join(workspace.dir, 'taken.json'), JSON.stringify(outboundConfig([taken])))
    await until(async () => (await outbound.metric('meshbench_config_reloads_total', 'refused')) === 1)
    expect(await ping(await dial(at(outbound, 'a')))).toBe('ping')
    expect(outbound.log()).toContain('EADDRINUSE')
  })

  it('rotates certificates: streams live on, new ones use the new certificate', async () => {
    const inbound = await start(inboundConfig([route('server.bench:8080', 'server')]))
    const outbound = await start(outboundConfig([capture('a', 'client', at(inbound, 'inbound'))]))
    const standing = await dial(at(outbound, 'a'))
    expect(await ping(standing)).toBe('ping')
    // Writing the files is enough; SIGHUP would do as well.
    await writeWorkload(workspace, authority, 'client')
    await writeWorkload(workspace, authority, 'server')
    await until(async () => (await inbound.metric('meshbench_config_reloads_total', 'ok')) >= 1)
    await until(async () => (await outbound.metric('meshbench_config_reloads_total', 'ok')) >= 1)
    expect(await ping(await dial(at(outbound, 'a')))).toBe('ping')
    expect(await ping(standing)).toBe('ping')
    expect(await outbound.metric('meshbench_tls_handshakes_total', 'side="client"')).toBe(2)
    // The retired connection closes with its last stream.
    standing.destroy()
    await until(async () => (await outbound.metric('meshbench_hbone_connections', 'client')) === 1)
  })
})

describe('drain', () => {
  it('finishes what is in flight, refuses what is new, and exits 0', async () => {
    const inbound = await start(inboundConfig([route('server.bench:8080', 'server')]))
    const outbound = await start(outboundConfig([capture('a', 'client', at(inbound, 'inbound'))]))
    const standing = await dial(at(outbound, 'a'))
    expect(await ping(standing)).toBe('ping')
    const exits = Promise.all([once(outbound.process, 'exit'), once(inbound.process, 'exit')])
    inbound.process.kill('SIGTERM')
    outbound.process.kill('SIGTERM')
    await until(() => outbound.log().includes('draining') && inbound.log().includes('draining'))
    await expect(dial(at(outbound, 'a'))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect((await fetch(`http://127.0.0.1:${at(outbound, 'admin').port}/healthz/ready`)).status).toBe(503)
    expect(await ping(standing)).toBe('ping')
    standing.end()
    standing.resume()
    expect((await exits).map(([code]) => code as number)).toEqual([0, 0])
  })

  it('is bounded by drainMs', async () => {
    const inbound = await start(inboundConfig([route('server.bench:8080', 'server')], { drainMs: 300 }))
    const outbound = await start(
      outboundConfig([capture('a', 'client', at(inbound, 'inbound'))], { drainMs: 300 }),
    )
    const standing = await dial(at(outbound, 'a'))
    expect(await ping(standing)).toBe('ping')
    const cut = new Promise((resolve) => standing.on('error', resolve).on('close', resolve))
    expect(await outbound.stop()).toBe(0)
    await cut
    expect(await inbound.stop()).toBe(0)
  })
})

describe('workers', () => {
  it('share the listeners, are scraped and drained as one, and are replaced when they die', async () => {
    const inbound = await start(inboundConfig([route('server.bench:8080', 'server')], { workers: 2 }))
    const outbound = await start(
      outboundConfig([capture('a', 'client', at(inbound, 'inbound'))], { workers: 2 }),
    )
    const sockets = await Promise.all(Array.from({ length: 20 }, () => dial(at(outbound, 'a'))))
    expect(await Promise.all(sockets.map(ping))).toEqual(sockets.map(() => 'ping'))
    expect(await outbound.metric('meshbench_downstream_connections_total')).toBe(20)
    expect(await inbound.metric('meshbench_hbone_streams_total')).toBe(20)
    // Each outbound worker has a pool of its own.
    expect(await inbound.metric('meshbench_tls_handshakes_total')).toBe(2)
    for (const socket of sockets) socket.destroy()

    const [worker] = readFileSync(`/proc/${inbound.pid}/task/${inbound.pid}/children`, 'utf8')
      .trim()
      .split(' ')
    process.kill(Number(worker), 'SIGKILL')
    await until(async () => (await inbound.metric('meshbench_worker_restarts_total')) === 1)
    await until(async () => (await ping(await dial(at(outbound, 'a')))) === 'ping')
    expect(await outbound.stop()).toBe(0)
    expect(await inbound.stop()).toBe(0)
  })
})

describe('a bad config', () => {
  it('ends with exit code 2 and a line per problem that names field and value', async () => {
    const good = await start(inboundConfig([route('server.bench:8080', 'server')]))
    const program = good.process.spawnargs[1] as string
    const file = workspace.write(
      'bad.json',
      JSON.stringify({
        admin: { host: '127.0.0.1', port: 70_000 },
        drainMs: 'soon',
        listeners: [{ kind: 'capture', name: 'a' }],
        colour: 1,
      }),
    )
    const { status, stderr } = spawnSync(process.execPath, [program, '--config', file, '--check'], {
      encoding: 'utf8',
    })
    expect(status).toBe(2)
    expect(stderr).toContain('config.admin.port')
    expect(stderr).toContain('70000')
    expect(stderr).toContain('config.drainMs')
    expect(stderr).toContain('config.listeners[0].source')
    expect(stderr).toContain('colour')
  })
})
