/** Hostile bytes at the front door of a real proxy: nothing ambiguous reaches the upstream, and nothing stops the proxy. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { corpus } from '../../kit/http1/testdata/corpus.js'
import {
  type TestProxy,
  type TestUpstream,
  ask,
  cluster,
  sendRaw,
  startTestProxy,
  startUpstream,
} from './testing.js'

let upstream: TestUpstream
let target: TestProxy
beforeAll(async () => {
  upstream = await startUpstream()
  target = await startTestProxy({
    clusters: [cluster('server', upstream)],
    limits: { headTimeoutMs: 200, bodyIdleMs: 300, idleMs: 2000, headBytes: 16_384, headerCount: 50 },
  })
})
afterAll(() => {
  target.close()
  upstream.close()
})

/** Statuses of the answers in a stream of bytes. */
const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))

describe('smuggling', () => {
  it('refuses each malformed request, closes, and forwards nothing of what follows', async () => {
    for (const { name, bytes, outcome } of corpus) {
      if (typeof outcome !== 'number') continue
      const before = upstream.seen.length
      const got = await sendRaw(target.address, [`${bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`])
      expect([name, statuses(got)[0]]).toEqual([name, outcome])
      expect([name, statuses(got).length]).toEqual([name, 1])
      // A request whose body turns out to be bad may have been begun at the upstream; it is never whole there.
      expect([name, upstream.seen.slice(before)]).toEqual([name, []])
    }
  })

  it('normalises what is odd but clear', async () => {
    for (const { name, bytes, outcome } of corpus) {
      if (typeof outcome === 'number' || outcome.target === '*') continue
      const got = await sendRaw(target.address, [bytes], { halfClose: true })
      expect([name, statuses(got)]).toEqual([name, [outcome.method === 'BREW' ? 400 : 200]])
      if (outcome.method === 'BREW') continue // node:http knows no such method
      expect(upstream.seen.at(-1)).toMatchObject({
        method: outcome.method,
        url: outcome.target,
        body: outcome.body,
      })
    }
  })

  it('tells why, though the request before wanted a head alone', async () => {
    const got = await sendRaw(target.address, ['HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP\r\n\r\n'])
    const [, refusal = ''] = got.split(/(?=HTTP\/1\.1 400)/)
    const [head = '', body] = refusal.split('\r\n\r\n')
    expect(body).toBe('a malformed HTTP version\n')
    expect(head).toContain(`content-length: ${body?.length}`)
  })

  it('does not pass on fields of the connection', async () => {
    await sendRaw(target.address, [
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nProxy-Connection: x\r\nX-End: 1\r\n\r\n',
    ])
    const names = Object.keys(upstream.seen.at(-1)?.headers ?? {})
    expect(names.sort()).toEqual(
      ['connection', 'host', 'x-end'].filter((name) => name !== 'connection' || names.includes(name)),
    )
  })
})

describe('slow clients', () => {
  it('get 408 for a head and for a body that does not come', async () => {
    expect(statuses(await sendRaw(target.address, ['GET / HTTP/1.1\r\nHo'], { timeoutMs: 3000 }))).toEqual([
      408,
    ])
    const slow = await sendRaw(
      target.address,
      ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc'],
      { timeoutMs: 3000 },
    )
    expect(statuses(slow)).toEqual([408])
  })

  it('have the whole time for a head, whatever empty lines came before it', async () => {
    const patient = await startTestProxy({
      clusters: [cluster('server', upstream)],
      limits: { headTimeoutMs: 800 },
    })
    const client = connect({ ...patient.address, noDelay: true })
    let text = ''
    client.on('data', (bytes: Buffer) => (text += String(bytes)))
    for (const [piece, pauseMs] of [
      ['\r', 50],
      ['\n', 1000],
      ['GET / HTTP/1.1\r\nHo', 400],
      ['st: a\r\nConnection: close\r\n\r\n', 0],
    ] as const) {
      client.write(piece)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    await once(client, 'close')
    patient.close()
    expect(statuses(text)).toEqual([200])
  })

  it('of long heads cost no more for each byte than those of short ones', async () => {
    const patient = await startTestProxy({
      clusters: [cluster('server', upstream)],
      routes: [{ match: { path: '/elsewhere' }, cluster: 'server' }],
    })
    const cpuOf = async (bytesBefore: number): Promise<number> => {
      const before = process.cpuUsage().user
      const long = `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'y'.repeat(bytesBefore)}`
      const last = 'y\r\nConnection: close\r\n\r\n'
      const pieces = [long, ...Array<string>(1500).fill('y'), last]
      expect(statuses(await sendRaw(patient.address, pieces, { timeoutMs: 20_000 }))).toEqual([404])
      return process.cpuUsage().user - before
    }
    await cpuOf(1)
    const [short, long] = [await cpuOf(1), await cpuOf(30_000)]
    patient.close()
    expect(long / short).toBeLessThan(6)
  }, 30_000)

  it('are cut off in a body that does not come, though its answer has begun', async () => {
    const begun = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n'
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(begun))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const early = await startTestProxy({
      clusters: [cluster('server', { host: '127.0.0.1', port })],
      limits: { bodyIdleMs: 300 },
    })
    const client = connect(early.address)
    client.on('error', () => {})
    client.resume()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc')
    await expect.poll(() => client.destroyed, { timeout: 3000 }).toBe(true)
    early.close()
    server.close()
  })
})

describe('fuzz', () => {
  it('survives mutations of good requests, with no hang and no leak of connections', async () => {
    let state = 20_260_101
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const seeds = corpus.map(({ bytes }) =>
      Buffer.from(bytes.length > 600 ? bytes.slice(0, 600) : bytes, 'latin1'),
    )
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')
    const mutate = (): Buffer => {
      let bytes = Buffer.from(random(12) === 0 ? preface : (seeds[random(seeds.length)] as Buffer))
      for (let i = random(4); i >= 0; i--) {
        const at = random(bytes.length + 1)
        switch (random(4)) {
          case 0:
            if (bytes.length > 0) bytes[Math.min(at, bytes.length - 1)] = random(256)
            break
          case 1:
            bytes = Buffer.concat([
              bytes.subarray(0, at),
              Buffer.from([13, 10].slice(random(2))),
              bytes.subarray(at),
            ])
            break
          case 2:
            bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random(8))])
            break
          default:
            bytes = Buffer.concat([bytes, seeds[random(seeds.length)] as Buffer])
        }
      }
      return bytes
    }
    for (let round = 0; round < 40; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const bytes = mutate()
          const socket = connect({ host: target.address.host, port: target.address.port })
          socket.on('error', () => {})
          socket.resume()
          const at = random(bytes.length + 1)
          socket.write(bytes.subarray(0, at))
          socket.end(bytes.subarray(at))
          setTimeout(() => socket.destroy(), 50)
          await new Promise((resolve) => socket.on('close', resolve))
        }),
      )
    }
    expect(await ask(target.address, { method: 'POST', body: 'alive' })).toMatchObject({
      status: 200,
      body: 'alive',
    })
    await expect
      .poll(
        async () => {
          const drained = target.server.drain().then(() => 'drained')
          return Promise.race([drained, new Promise((resolve) => setTimeout(() => resolve('open'), 3000))])
        },
        { timeout: 9000 },
      )
      .toBe('drained')
  }, 60_000)
})
