/** Captured connections that are reset before their streams stand: dial, CONNECT and descriptors go with them. */
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HboneFixture, createHboneFixture } from '../kit/hbone/testkit.js'
import type { HboneStreamRequest } from '../kit/hbone/server.js'
import type { ListenerAddress } from '../kit/net/address.js'
import { type RunningImage, listenTcp, startImage } from '../kit/testing.js'
import { outboundConfig } from './pair.js'

let fixture: HboneFixture
beforeAll(async () => {
  fixture = await createHboneFixture()
})
afterAll(() => {
  fixture.close()
})

/** A tunnel whose dials take longer than a test may: what ends sooner was given up. */
const startOutbound = (
  { host, port }: ListenerAddress,
  pool: Record<string, unknown>,
): Promise<RunningImage> =>
  startImage('tunnel', fixture.workspace, {
    ...outboundConfig(fixture.client, { host, port }, fixture.server.spiffeId),
    pool: { ...pool, connectTimeoutMs: 60_000 },
  })

async function connectClients(tunnel: RunningImage, count: number): Promise<Socket[]> {
  const clients = Array.from({ length: count }, () => {
    const { host, port } = tunnel.listeners['outbound'] as ListenerAddress
    return connect({ host, port })
  })
  await Promise.all(clients.map((client) => once(client, 'connect')))
  return clients
}

/** Open descriptors of a process. */
const descriptorsOf = ({ pid }: RunningImage): number => readdirSync(`/proc/${pid}/fd`).length

describe.each([true, false])('with multiplex %s', (multiplex) => {
  it('a handshake is given up when all clients that wait for it have left', async () => {
    const dials: Socket[] = []
    const silent = await listenTcp((socket) => {
      dials.push(socket)
      socket.resume().on('end', () => socket.end())
    })
    const tunnel = await startOutbound(silent, { multiplex })
    try {
      const before = descriptorsOf(tunnel)
      for (let round = 1; round <= 2; round += 1) {
        const clients = await connectClients(tunnel, 20)
        await expect.poll(() => descriptorsOf(tunnel)).toBe(before + (multiplex ? 21 : 40))
        for (const client of clients.slice(1)) client.resetAndDestroy()
        await expect.poll(() => descriptorsOf(tunnel), { timeout: 5000 }).toBe(before + 2)
        clients[0]?.resetAndDestroy()
        await expect.poll(() => descriptorsOf(tunnel), { timeout: 5000 }).toBe(before)
      }
      await expect.poll(() => dials.every(({ destroyed }) => destroyed)).toBe(true)
      expect(await tunnel.metric('meshbench_connect_failures_total', 'reason="client-gone"')).toBe(40)
      expect(await tunnel.metric('meshbench_tls_handshake_failures_total')).toBe(0)
    } finally {
      await tunnel.stop('SIGKILL')
      silent.close()
    }
  })

  it('a CONNECT that has no answer yet is given up with its client', async () => {
    const asked: HboneStreamRequest[] = []
    const { address } = await fixture.startServer((request) => asked.push(request))
    const tunnel = await startOutbound(address, { multiplex })
    try {
      const clients = await connectClients(tunnel, 3)
      await expect.poll(() => asked.length).toBe(3)
      clients[0]?.resetAndDestroy()
      await expect.poll(() => asked.filter(({ gone }) => gone).length, { timeout: 5000 }).toBe(1)
      // Who ended its half alone may still wait for bytes.
      clients[1]?.end()
      clients[2]?.resetAndDestroy()
      await expect.poll(() => asked.filter(({ gone }) => gone).length, { timeout: 5000 }).toBe(2)
      clients[1]?.destroy()
    } finally {
      await tunnel.stop('SIGKILL')
    }
  })
})
