/** Broken input at the HBONE door, from a fixed seed: no crash, no hang, no stream left behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../../../harness/protocol/random.js'
import { FrameReader, clientPreface, flag, frameType } from '../h2/frames.js'
import {
  type HboneFixture,
  type StartedServer,
  connectRaw,
  createHboneFixture,
  destination,
  echo,
  readAll,
} from './testkit.js'
import { HpackDecoder, encodeHeaders } from '../h2/hpack.js'
import { frame } from '../h2/testkit.js'
import { spiffe } from '../testing.js'

let fixture: HboneFixture
let started: StartedServer
beforeAll(async () => {
  fixture = await createHboneFixture()
  started = await fixture.startServer((request) => {
    if (request.authority.startsWith('refuse')) request.refuse(401)
    else echo(request.accept())
  })
})
afterAll(() => {
  fixture.close()
})

const random = seededRandom(20_261_122)
const below = (n: number): number => Math.floor(random() * n)
const bytes = (n: number): Buffer => Buffer.from(Array.from({ length: n }, () => below(256)))

/** A conversation that makes sense, some of whose frames are then damaged. */
function conversation(): Buffer {
  const parts: Buffer[] = []
  for (let i = 0; i < 20; i += 1) {
    const id = below(8) === 0 ? below(50) : 2 * below(10) + 1
    const block = encodeHeaders(
      [
        [':method', 'CONNECT'],
        [':authority', below(3) ? 'server.bench:8080' : 'refuse:1'],
      ],
      false,
    )
    const choices = [
      frame(frameType.headers, flag.endHeaders, id, block),
      frame(frameType.headers, below(256), id, below(2) ? block : bytes(below(60))),
      frame(frameType.data, below(2) ? flag.endStream : 0, id, bytes(below(300))),
      frame(frameType.data, below(256), id, bytes(below(30))),
      frame(frameType.windowUpdate, 0, below(2) ? id : 0, bytes(4)),
      frame(frameType.rstStream, 0, id, bytes(4)),
      frame(frameType.settings, below(3) ? 0 : flag.ack, 0, bytes(6 * below(4))),
      frame(frameType.ping, 0, 0, bytes(8)),
      frame(below(256), below(256), id, bytes(below(40))),
    ]
    parts.push(choices[below(choices.length)] as Buffer)
  }
  const all = Buffer.concat(parts)
  for (let i = below(4); i > 0; i -= 1) all[below(all.length)] = below(256)
  return all
}

describe('the HBONE door', () => {
  it('survives 300 damaged conversations, and serves a good peer afterwards', async () => {
    for (let i = 0; i < 300; i += 1) {
      const client = await connectRaw(fixture, started.address)
      client.socket.resume()
      const all = conversation()
      // Cut at random places, so that frames arrive in pieces.
      for (let at = 0; at < all.length;) {
        const next = at + 1 + below(400)
        client.socket.write(all.subarray(at, next))
        at = next
      }
      client.socket.end()
      await new Promise((resolve) => client.socket.on('close', resolve))
    }
    const { pool } = fixture.createPool()
    const stream = await pool.connect({ source: spiffe('client'), destination: destination(started.address) })
    const all = readAll(stream)
    stream.write(Buffer.from('alive'))
    stream.end()
    expect(String(await all)).toBe('alive')
    pool.close()
    for (let i = 0; started.server.connections > 0 && i < 100; i += 1)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(started.server.connections).toBe(0)
  }, 60_000)
})

describe('FrameReader', () => {
  it('reads the same frames however the bytes are cut', () => {
    const all = Buffer.concat([
      frame(frameType.settings, 0, 0, bytes(12)),
      frame(frameType.headers, flag.endHeaders, 1, bytes(40)),
      frame(frameType.data, flag.padded, 1, Buffer.concat([Buffer.of(5), bytes(20), Buffer.alloc(5)])),
      frame(frameType.data, 0, 1, ''),
      frame(frameType.data, flag.endStream, 1, bytes(33)),
      frame(frameType.ping, 0, 0, bytes(8)),
    ])
    const read = (cuts: readonly number[]): string => {
      const seen: string[] = []
      let content = ''
      const reader = new FrameReader({
        onFrameHeader: (...header) => seen.push(header.join()),
        onData: (id, all, from, to, last, end, padding) => {
          content += all.toString('hex', from, to)
          if (last) seen.push(`${id} ${content} ${end} ${padding}`)
          if (last) content = ''
        },
        onFrame: (type, flags, id, all, from, to) =>
          seen.push(`${type} ${flags} ${id} ${all.toString('hex', from, to)}`),
      })
      const points = [0, ...cuts, all.length]
      for (let i = 1; i < points.length; i += 1) reader.read(all.subarray(points[i - 1], points[i]))
      expect(reader.partialSince).toBe(undefined)
      return seen.join('\n')
    }
    const whole = read([])
    for (let cut = 0; cut <= all.length; cut += 1) expect(read([cut])).toBe(whole)
    expect(read(Array.from({ length: all.length }, (_, i) => i))).toBe(whole)
  })
})

describe('HpackDecoder', () => {
  it('never loops or grows on 20 000 random blocks', () => {
    for (let i = 0; i < 20_000; i += 1) {
      const decoder = new HpackDecoder(4096, { headerBytes: 16_384, headerCount: 100 })
      try {
        expect(decoder.decode(bytes(below(60))).fields.length).toBeLessThanOrEqual(200)
      } catch (error) {
        expect((error as Error).constructor.name).toBe('HpackError')
      }
    }
  })
})

// The preface is the reader's caller's: named here so that a change of its length is noticed.
it('the preface is 24 bytes', () => {
  expect(clientPreface.length).toBe(24)
})
