/** Malformed messages at the application: it refuses by the same rules as the hops, so that what a hop lets pass is seen. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorCode, flag, frameType } from '../kit/h2/frames.js'
import { type HeaderField, encodeHeaders } from '../kit/h2/hpack.js'
import { type RawClient, frame, speakFrames } from '../kit/h2/testkit.js'
import { corpus } from '../kit/http1/testdata/corpus.js'
import type { ListenerAddress } from '../kit/net/address.js'
import { type RunningImage, createWorkspace, startImage } from '../kit/testing.js'

const { data, headers, rstStream } = frameType
const workspace = createWorkspace()
let echo: RunningImage
let address: ListenerAddress
beforeAll(async () => {
  echo = await startImage('echo', workspace, {
    admin: { host: '127.0.0.1', port: 0 },
    listeners: [{ name: 'http', host: '127.0.0.1', port: 0, kind: 'http' }],
  })
  address = echo.listeners['http'] as ListenerAddress
})
afterAll(async () => {
  await echo.stop()
  workspace.remove()
})

/** Sends bytes and the end, and gives all that came back. */
async function send(bytes: string): Promise<string> {
  const socket = connect({ ...address, allowHalfOpen: true })
  let text = ''
  socket.setEncoding('latin1').on('data', (part: string) => (text += part))
  socket.on('error', () => {})
  socket.end(bytes, 'latin1')
  await once(socket, 'close')
  return text
}
const statuses = (text: string): number[] =>
  [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((match) => Number(match[1]))

describe('HTTP/1.1', () => {
  it('that is malformed is refused, and nothing behind it answered', async () => {
    const next = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'
    for (const { name, bytes, outcome } of corpus) {
      if (typeof outcome !== 'number') continue
      const got = statuses(await send(bytes + next))
      // An application knows no CONNECT, which is no matter of form.
      expect([name, got]).toEqual([name, [name === 'CONNECT' ? 400 : outcome]])
    }
  })

  it('that is odd but clear is answered', async () => {
    for (const { name, bytes, outcome } of corpus) {
      if (typeof outcome === 'number') continue
      expect([name, statuses(await send(bytes))]).toEqual([name, [200]])
    }
  })
})

describe('HTTP/2', () => {
  const open = async (): Promise<RawClient> => {
    const socket = connect(address)
    await once(socket, 'connect')
    return speakFrames(socket)
  }
  const block = (...extra: HeaderField[]): Buffer =>
    encodeHeaders(
      [[':method', 'POST'], [':scheme', 'http'], [':path', '/'], [':authority', 'a.test'], ...extra],
      false,
    )
  const bad: readonly HeaderField[] = [
    ['x-a', 'b\rc'],
    ['x-a', 'b\nc'],
    ['x-a', 'b\0c'],
    ['x-a', 'b\x01c'],
    ['x-a', 'b\x7fc'],
    ['x-a', ' b'],
    ['x-\n', 'b'],
    ['X-A', 'b'],
    ['transfer-encoding', 'chunked'],
  ]
  const isEnded = async (client: RawClient): Promise<number> => {
    const last = await client.next(
      ({ type, streamId }) => streamId === 1 && (type === rstStream || type === headers),
    )
    client.socket.destroy()
    return last.type === rstStream ? last.payload.readUInt32BE(0) : -1
  }

  it.each(bad)('with %j: %j in a head is reset', async (...field) => {
    const client = await open()
    client.send(frame(headers, flag.endHeaders | flag.endStream, 1, block(field)))
    expect(await isEnded(client)).toBe(errorCode.protocol)
  })

  it.each(bad)('with %j: %j in trailers is reset', async (...field) => {
    const client = await open()
    client.send(
      frame(headers, flag.endHeaders, 1, block()),
      frame(data, 0, 1, 'body'),
      frame(headers, flag.endHeaders | flag.endStream, 1, encodeHeaders([field], false)),
    )
    expect(await isEnded(client)).toBe(errorCode.protocol)
  })

  it.each([
    ['more', 3],
    ['less', 5],
  ])('with %s content than announced is reset', async (_title, length) => {
    const client = await open()
    client.send(
      frame(headers, flag.endHeaders, 1, block(['content-length', String(length)])),
      frame(data, flag.endStream, 1, 'body'),
    )
    expect(await isEnded(client)).toBe(errorCode.protocol)
  })
})
