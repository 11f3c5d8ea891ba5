import { describe, expect, it } from 'vitest'
import { BodyReader, Http1Error, endOfHead, parseHead } from './http1-message.js'

describe('parseHead', () => {
  it('finds what framing needs', () => {
    const head = parseHead(
      'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length:  12 \r\nConnection: Keep-Alive\r\nx-y: z',
    )
    expect(head).toEqual({
      startLine: 'POST /x HTTP/1.1',
      contentLength: 12,
      chunked: false,
      connection: 'keep-alive',
      hosts: 1,
      expectContinue: false,
    })
    expect(parseHead('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked').chunked).toBe(true)
    expect(parseHead('GET / HTTP/1.1').contentLength).toBeUndefined()
  })

  for (const [why, headers] of [
    ['both framings', 'content-length: 1\r\ntransfer-encoding: chunked'],
    ['two lengths', 'content-length: 1\r\ncontent-length: 1'],
    ['a length that is no number', 'content-length: +1'],
    ['an unknown transfer coding', 'transfer-encoding: gzip, chunked'],
    ['space before the colon', 'host : a'],
    // Only space and tab are white space (RFC 9110 §5.6.3), whatever JavaScript takes away.
    ['a vertical tab before a coding', 'transfer-encoding: \vchunked'],
    ['a form feed behind a length', 'content-length: 1\f'],
    ['a no-break space before a length', 'content-length: \xa01'],
    ['a folded line', 'a: b\r\n c: d'],
    ['a line without a colon', 'a: b\r\nnonsense'],
    ['an empty name', ': b'],
  ] as const) {
    it(`refuses ${why}`, () => {
      expect(() => parseHead(`GET / HTTP/1.1\r\n${headers}`)).toThrow(Http1Error)
    })
  }
})

describe('parseHead, of messages as they are seldom sent', () => {
  it('refuses chunks in HTTP/1.0, of either side', () => {
    for (const start of ['POST / HTTP/1.0', 'HTTP/1.0 200 OK'])
      expect(() => parseHead(`${start}\r\ntransfer-encoding: chunked`)).toThrow(/HTTP\/1\.0/)
    expect(parseHead('POST /HTTP/1.0 HTTP/1.1\r\ntransfer-encoding: chunked').chunked).toBe(true)
  })

  it('reads several lines of Connection as one list', () => {
    const { connection } = parseHead('GET / HTTP/1.1\r\nConnection: close\r\nConnection: X-A')
    expect(connection.split(', ')).toEqual(['close', 'x-a'])
  })
})

describe('endOfHead', () => {
  it('tells a whole head from a part, and refuses one that never ends', () => {
    expect(endOfHead(Buffer.from('GET / HTTP/1.1\r\n\r\nbody'), 0)).toBe(18)
    expect(endOfHead(Buffer.from('GET / HTTP/1.1\r\n\r'), 0)).toBe(-1)
    expect(() => endOfHead(Buffer.alloc(40_000, 'a'), 0)).toThrow(/32 KiB/)
  })
})

describe('BodyReader', () => {
  /** Feeds a body in pieces of `step` bytes; returns the payload and what was left over. */
  function read(length: number | 'chunked', text: string, step: number) {
    const reader = new BodyReader(length)
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
    expect(read('chunked', '5\r\nhel', 100).done).toBe(false)
    expect(read(5, 'hel', 100).done).toBe(false)
  })

  for (const bad of ['x\r\n', '5\nhello', '5\r\nhello!\r\n', '-1\r\n', `${'0'.repeat(5000)}`]) {
    it(`refuses chunks such as ${JSON.stringify(bad.slice(0, 20))}`, () => {
      expect(() => read('chunked', bad, 100_000)).toThrow(Http1Error)
    })
  }
})
