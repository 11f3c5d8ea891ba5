import { describe, expect, it } from 'vitest'
import { BodyReader, type Framing } from './body.js'
import { HeadError } from './http1-head.js'

describe('BodyReader', () => {
  /** Feeds a body in pieces of `step` bytes; returns the payload and what was left over. */
  function read(framing: Framing, text: string, step: number) {
    const reader = new BodyReader(framing)
    const bytes = Buffer.from(text)
    let payload = ''
    let at = 0
    while (at < bytes.length && !reader.done) {
      const end = Math.min(bytes.length, at + step)
      at = reader.feed(bytes, at, end, (part) => (payload += part.toString()))
    }
    return { payload, done: reader.done, rest: bytes.toString('latin1', at), bytes: reader.bytes }
  }

  const chunked = '5\r\nhello\r\nA;name=value\r\n0123456789\r\n0\r\ntrailer: x\r\n\r\nnext'

  for (const step of [1, 2, 3, 7, 1000]) {
    it(`reads bodies that come in pieces of ${step}`, () => {
      expect(read(5, 'helloHTTP', step)).toEqual({ payload: 'hello', done: true, rest: 'HTTP', bytes: 5 })
      expect(read('close', 'hello', step)).toEqual({ payload: 'hello', done: false, rest: '', bytes: 5 })
      expect(read('chunked', chunked, step)).toEqual({
        payload: 'hello0123456789',
        done: true,
        rest: 'next',
        bytes: 15,
      })
    })
  }

  it('knows an empty body, and one that has not ended', () => {
    expect(new BodyReader(0).done).toBe(true)
    expect(new BodyReader('close').endsWithConnection).toBe(true)
    expect(read('chunked', '5\r\nhel', 100).done).toBe(false)
    expect(read(5, 'hel', 100).done).toBe(false)
  })

  for (const bad of ['x\r\n', '5\nhello', '5\r\nhello!\r\n', '-1\r\n', `${'0'.repeat(5000)}`]) {
    it(`refuses chunks such as ${JSON.stringify(bad.slice(0, 20))}`, () => {
      expect(() => read('chunked', bad, 100_000)).toThrow(HeadError)
    })
  }
})
