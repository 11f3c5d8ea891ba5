import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createRawServer, type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type EchoServer, type Rig, createRig } from '../lab/truth/rig.js'
import { findProgram } from '../process/exec.js'
import { tools, type ToolName } from '../../infra/images/loadgen/tools/index.js'
import { engineOf } from '../protocol/engines.js'
import { countAbove, maxUs, percentileUs } from './histogram.js'

let rig: Rig
const servers: EchoServer[] = []

async function echo(...faults: Parameters<Rig['echo']>): Promise<EchoServer> {
  const server = await rig.echo(...faults)
  servers.push(server)
  return server
}

beforeAll(async () => {
  rig = await createRig()
})
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.kill()))
})
afterAll(() => rig.close())

describe('open loop', () => {
  for (const protocol of ['http1', 'h2', 'grpc', 'tcp'] as const) {
    it(`counts the same requests and connections as the server over ${protocol}`, async () => {
      const server = await echo()
      const spec = { protocol, ratePerSecond: 500, warmupMs: 200, durationMs: 1000, connections: 4 }
      const { result } = await rig.load('open-loop', spec, server)
      expect(result.errors).toEqual({})
      expect(result.sent + result.unsent).toBe(500)
      expect(result.ok).toBe(result.sent)
      expect(await server.requests()).toBe(result.warmupSent + result.sent)
      expect(await server.connections()).toBe(4)
      expect(result.connectionsOpened).toBe(4)
      expect(result.bodyBytes).toBe(result.ok * 1024)
      expect(result.response?.count).toBe(result.ok)
      expect(result.service?.count).toBe(result.ok)
      expect(result.sendLag?.count).toBe(result.sent)
    })
  }

  for (const protocol of ['http1', 'h2', 'grpc'] as const) {
    it(`sends the kinds of a mix by their shares, bodies included, over ${protocol}`, async () => {
      const server = await echo()
      const mix = [
        { share: 3, requestBytes: 0, payloadBytes: 100 },
        // More than a window of HTTP/2 at its start.
        { share: 1, requestBytes: 100_000, payloadBytes: 200_000 },
      ]
      const spec = { protocol, mix, ratePerSecond: 256, warmupMs: 0, durationMs: 1000, connections: 4 }
      const { result } = await rig.load('open-loop', spec, server)
      expect(result.errors).toEqual({})
      expect(result.ok).toBe(256)
      expect(result.bodyBytes).toBe(192 * 100 + 64 * 200_000)
      const received = await server.receivedBytes()
      expect(received).toBeGreaterThanOrEqual(64 * 100_000)
      // Heads and frames are no tenth of it.
      expect(received).toBeLessThan(64 * 110_000)
    })
  }

  it('mixes on connections of one request each, too', async () => {
    const server = await echo()
    const mix = [
      { share: 1, requestBytes: 10, payloadBytes: 100 },
      { share: 1, requestBytes: 0, payloadBytes: 200 },
    ]
    const spec = { mix, ratePerSecond: 128, warmupMs: 0, durationMs: 500, connections: 2 }
    const { result } = await rig.load('connect', spec, server)
    expect(result).toMatchObject({ ok: 64, connectionsOpened: 64, bodyBytes: 32 * 300 })
  })

  it('splits the load over workers and merges what they saw', async () => {
    const server = await echo()
    const spec = {
      ratePerSecond: 601,
      arrival: 'poisson',
      workers: 2,
      connections: 5,
      durationMs: 1000,
    } as const
    const { result } = await rig.load('open-loop', spec, server)
    expect(result.sent + result.unsent).toBe(601)
    expect(result.response?.count).toBe(result.ok)
    expect(await server.requests()).toBe(result.warmupSent + result.sent)
    expect(await server.connections()).toBe(5)
  })

  it('charges requests that were due while the server stood still', async () => {
    const server = await echo({ freeze: { afterRequests: 700, durationMs: 200 } })
    const spec = { ratePerSecond: 1000, warmupMs: 200, durationMs: 1000, connections: 4 }
    const { result } = await rig.load('open-loop', spec, server)
    const response = result.response
    if (!response) throw new Error('no response times')
    // 200 requests fall due in the freeze; 4 connections alone would have seen 4 of them.
    expect(countAbove(response, 50_000)).toBeGreaterThan(140)
    expect(maxUs(response)).toBeGreaterThan(195_000)
    expect(result.sent + result.unsent).toBe(1000)
  })

  it('does not take the latency of the path for missing rate', async () => {
    const server = await echo({ delayMs: 400 })
    const spec = { ratePerSecond: 100, warmupMs: 0, durationMs: 400, connections: 64 }
    const { result } = await rig.load('open-loop', spec, server)
    expect([result.ok, result.unsent]).toEqual([40, 0])
    expect(result.windowMs).toBeGreaterThan(780)
    // Counted to the last reply it would be half of what was asked, at most.
    expect(result.achievedRatePerSecond).toBeGreaterThan(60)
  })

  it('tells slow requests from the rest', async () => {
    const server = await echo({ slow: { every: 50, delayMs: 60 } })
    const { result } = await rig.load(
      'open-loop',
      { ratePerSecond: 500, warmupMs: 0, durationMs: 1000 },
      server,
    )
    if (!result.service) throw new Error('no service times')
    expect(countAbove(result.service, 59_000)).toBeGreaterThanOrEqual(10)
    expect(percentileUs(result.service, 99)).toBeGreaterThan(59_000)
  })

  for (const protocol of ['http1', 'h2', 'tcp'] as const) {
    it(`reports errors by kind when the server dies (${protocol})`, async () => {
      const server = await echo({ delayMs: 20 })
      const spec = {
        protocol,
        ratePerSecond: 200,
        warmupMs: 0,
        durationMs: 1500,
        connections: 8,
        timeoutMs: 500,
      }
      const { result } = await rig.load('open-loop', spec, server, {
        onWindow: () => setTimeout(() => void server.kill(), 500),
      })
      expect(result.ok).toBeGreaterThan(0)
      expect((result.errors.reset ?? 0) + (result.errors.connect ?? 0)).toBeGreaterThan(10)
      expect(result.errors.connect).toBeGreaterThan(0)
      expect(result.sent + result.unsent).toBe(300)
    })
  }

  it('counts timeouts, and replies that are none', async () => {
    const server = await echo({ slow: { every: 10, delayMs: 1000 } })
    const spec = { ratePerSecond: 100, warmupMs: 0, durationMs: 1000, timeoutMs: 200 }
    const { result } = await rig.load('open-loop', spec, server)
    expect(result.errors.timeout).toBeGreaterThanOrEqual(9)
    expect(result.connectionsOpened).toBeGreaterThan(16)
    const tooLarge = await rig.load(
      'open-loop',
      { ...spec, payloadBytes: 1024 ** 4, durationMs: 300 },
      server,
      {
        target: server.tcp,
      },
    )
    // The raw TCP listener sends the request back, which is no reply.
    expect(tooLarge.result.errors.other).toBeGreaterThan(0)
    expect(tooLarge.result.ok).toBe(0)
  })

  it('takes an answer of HTTP/2 with a line end in a field for none', async () => {
    const server = await echo()
    const settings = '000000040000000000'
    // Status 200, then the field `x` with the value `a\nb` (RFC 7541 §6.1, §6.2.2), on stream 1, which it ends.
    const head = '000008010500000001' + '88' + '0001780' + '3610a62'
    const broken = createRawServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(Buffer.from(settings + head, 'hex')))
    })
    await once(broken.listen(0, '127.0.0.1'), 'listening')
    const { port } = broken.address() as AddressInfo
    const spec = { protocol: 'h2', payloadBytes: 0, ratePerSecond: 50, warmupMs: 0, durationMs: 300 } as const
    const { result } = await rig.load('open-loop', spec, server, { target: { host: '127.0.0.1', port } })
    broken.close()
    expect(result.ok).toBe(0)
    expect(result.errors.other).toBe(result.sent)
  })

  it('says that it cannot connect', async () => {
    const server = await echo()
    await server.kill()
    await expect(rig.load('open-loop', { ratePerSecond: 100 }, server)).rejects.toThrow(
      /^connect: cannot connect to/,
    )
    await expect(rig.load('closed-loop', {}, server)).rejects.toThrow(/^connect: cannot connect to/)
  })

  it('refuses a spec that makes no sense, naming the field', async () => {
    const server = await echo()
    await expect(rig.load('open-loop', { ratePerSecond: -1 }, server)).rejects.toThrow(/spec\.ratePerSecond/)
  })
})

describe('closed loop', () => {
  it('counts the same requests and connections as the server', async () => {
    const server = await echo()
    const { result } = await rig.load(
      'closed-loop',
      { warmupMs: 200, durationMs: 700, connections: 4 },
      server,
    )
    expect(result.ok).toBeGreaterThan(100)
    expect(result.errors).toEqual({})
    expect(await server.requests()).toBe(result.warmupSent + result.sent)
    expect(await server.connections()).toBe(4)
    expect(result.service?.count).toBe(result.ok)
    expect(result.response).toBeUndefined()
    expect(result.bodyBytes).toBe(result.ok * 1024)
  })

  it('reaches an address of IPv6', async (context) => {
    const server = await echo()
    const six = createServer((_request, response) => response.end('x'.repeat(1024)))
    const port = await new Promise<number | undefined>((resolve) => {
      six.once('error', () => resolve(undefined))
      six.listen(0, '::1', () => resolve((six.address() as AddressInfo).port))
    })
    if (port === undefined) return context.skip('this host has no ::1')
    try {
      const spec = { warmupMs: 0, durationMs: 200, connections: 2 }
      const { result } = await rig.load('closed-loop', spec, server, { target: { host: '::1', port } })
      expect(result.ok).toBeGreaterThan(0)
      expect(result.errors).toEqual({})
    } finally {
      six.close()
    }
  })

  it('takes the end of a connection for the end of a body that has no length', async () => {
    const server = await echo()
    const asked = { count: 0 }
    const brief = createRawServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        asked.count++
        socket.end(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1024)}`)
      })
    })
    await once(brief.listen(0, '127.0.0.1'), 'listening')
    const { port } = brief.address() as AddressInfo
    const spec = { warmupMs: 0, durationMs: 300, connections: 2 }
    const { result } = await rig.load('closed-loop', spec, server, { target: { host: '127.0.0.1', port } })
    brief.close()
    expect(result.errors).toEqual({})
    expect(result.ok).toBeGreaterThan(2)
    expect(result.ok).toBe(asked.count)
    expect(result.bodyBytes).toBe(result.ok * 1024)
  })

  it('reports errors by kind when the server dies', async () => {
    const server = await echo({ delayMs: 20 })
    const { result } = await rig.load(
      'closed-loop',
      { warmupMs: 0, durationMs: 1500, connections: 4 },
      server,
      {
        onWindow: () => setTimeout(() => void server.kill(), 500),
      },
    )
    expect(result.ok).toBeGreaterThan(20)
    expect((result.errors.reset ?? 0) + (result.errors.connect ?? 0)).toBeGreaterThan(3)
  })
})

describe('connect', () => {
  for (const protocol of ['http1', 'tcp'] as const) {
    it(`opens a connection for every request and times it apart (${protocol})`, async () => {
      const server = await echo({ delayMs: 5 })
      const spec = { protocol, ratePerSecond: 100, warmupMs: 200, durationMs: 1000, connections: 8 }
      const { result } = await rig.load('connect', spec, server)
      expect(result.ok).toBe(result.sent)
      expect(result.sent + result.unsent).toBe(100)
      expect(await server.requests()).toBe(result.warmupSent + result.sent)
      expect(await server.connections()).toBe(result.warmupSent + result.sent)
      expect(result.connectionsOpened).toBe(result.warmupSent + result.sent)
      expect(result.connect?.count).toBe(result.sent)
      expect(result.firstByte?.count).toBe(result.ok)
      if (!result.connect || !result.service || !result.firstByte) throw new Error('no times')
      // The server's delay is in the whole but not in the time to connect.
      expect(percentileUs(result.service, 50)).toBeGreaterThan(5000)
      expect(percentileUs(result.connect, 50)).toBeLessThan(percentileUs(result.service, 50) - 4500)
      // The first byte waits for the server, and the whole reply for its first byte.
      expect(percentileUs(result.firstByte, 50)).toBeGreaterThan(5000)
      expect(percentileUs(result.firstByte, 50)).toBeLessThanOrEqual(percentileUs(result.service, 50))
    })
  }

  it('reports what could not connect', async () => {
    const server = await echo()
    await server.kill()
    const { result } = await rig.load('connect', { ratePerSecond: 100, warmupMs: 0, durationMs: 300 }, server)
    expect(result.errors).toEqual({ connect: result.sent })
    expect(result.sent).toBeGreaterThan(0)
  })
})

describe('stream', () => {
  for (const protocol of ['http1', 'h2'] as const) {
    it(`moves whole transfers and counts their bytes (${protocol})`, async () => {
      const server = await echo()
      const payloadBytes = 4 * 1024 * 1024
      const spec = { protocol, payloadBytes, connections: 2, warmupMs: 0, durationMs: 500, timeoutMs: 30_000 }
      const { result } = await rig.load('stream', spec, server)
      expect(result.ok).toBeGreaterThan(0)
      expect(result.errors).toEqual({})
      expect(result.bodyBytes).toBe(result.ok * payloadBytes)
      expect(await server.requests()).toBe(result.sent)
    })
  }
})

describe('tools of others', () => {
  for (const tool of Object.keys(tools) as ToolName[]) {
    it(`reads what ${tool} measures`, async (test) => {
      if ((await findProgram(engineOf(tool).needs ?? tool)) === undefined) {
        console.log(`skipped: ${tool} is not on the PATH`)
        test.skip()
      }
      const server = await echo({ delayMs: 5 })
      const spec = { ratePerSecond: 100, connections: 2, warmupMs: 0, durationMs: 1000 }
      const { result } = await rig.load(tool, spec, server)
      const latency = result.response ?? result.service
      if (!latency) throw new Error('no times')
      expect(percentileUs(latency, 50)).toBeGreaterThan(4900)
      expect(percentileUs(latency, 50)).toBeLessThan(30_000)
      expect(result.ok).toBeGreaterThan(0)
      // Up to one request for each connection may be in flight when a tool ends; those that wait for them count all.
      const beyond = (await server.requests()) - result.sent
      expect(beyond).toBeGreaterThanOrEqual(0)
      expect(beyond).toBeLessThanOrEqual(result.uncounted ?? 0)
      expect(result.limits?.length).toBeGreaterThan(0)
    })
  }
})
