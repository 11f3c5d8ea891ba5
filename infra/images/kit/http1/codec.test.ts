/** The codec against its corpus: whatever the split of the bytes, the outcome is the same. */
import { describe, expect, it } from 'vitest'
import { ChunkedDecoder } from './chunked.js'
import { type CorpusCase, corpus } from './testdata/corpus.js'
import { endOfHead, parseRequestHead, parseResponseHead } from './head.js'
import { HeadError, type HeadLimits, type Http1Head } from './http1-head.js'

const limits: HeadLimits = { headBytes: 16_384, headerCount: 50, targetBytes: 8192 }

/** Reads one request from pieces, as a server does. Returns an outcome of the corpus' form, or undefined for "more bytes". */
function read(pieces: readonly Buffer[]): CorpusCase['outcome'] | undefined {
  let pending: Buffer = Buffer.alloc(0)
  let head: Http1Head | undefined
  let decoder: ChunkedDecoder | undefined
  let body = ''
  try {
    for (const piece of pieces) {
      pending = Buffer.concat([pending, piece])
      if (head === undefined) {
        let start = 0
        while (pending[start] === 13 && pending[start + 1] === 10) start += 2
        if (start === pending.length || (start + 1 === pending.length && pending[start] === 13)) continue
        const end = endOfHead(pending, start, pending.length, limits)
        if (end < 0) continue
        head = parseRequestHead(pending.toString('latin1', start, end), limits)
        if (head.method === 'CONNECT') return 405
        pending = pending.subarray(end)
        if (head.chunked) decoder = new ChunkedDecoder(limits)
      }
      if (decoder === undefined) {
        body += pending.toString('latin1')
        pending = Buffer.alloc(0)
        const length = Math.max(head.contentLength, 0)
        if (body.length >= length)
          return { method: head.method, target: head.target, body: body.slice(0, length) }
      } else {
        const bytes = pending
        const used = decoder.feed(bytes, 0, bytes.length, (from, to) => {
          body += bytes.toString('latin1', from, to)
        })
        pending = pending.subarray(used)
        if (decoder.done) return { method: head.method, target: head.target, body }
      }
    }
  } catch (error) {
    if (error instanceof HeadError) return error.status
    throw error
  }
  return undefined
}

describe('the corpus', () => {
  it('is large and its names are unique', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(150)
    expect(corpus.filter(({ outcome }) => typeof outcome === 'number').length).toBeGreaterThanOrEqual(150)
    expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length)
  })

  const namedCases = corpus.map((corpusCase) => [corpusCase.name, corpusCase] as const)
  it.each(namedCases)('%s', (_name, { bytes, outcome }) => {
    const buffer = Buffer.from(bytes, 'latin1')
    expect(read([buffer])).toEqual(outcome)
    const step = Math.max(1, Math.floor(buffer.length / 600))
    for (let at = 1; at < buffer.length; at += step) {
      const split = read([buffer.subarray(0, at), buffer.subarray(at)])
      if (JSON.stringify(split) !== JSON.stringify(outcome)) expect([at, split]).toEqual([at, outcome])
    }
    if (buffer.length < 1000) {
      const single = Array.from(buffer, (_, i) => buffer.subarray(i, i + 1))
      expect(read(single)).toEqual(outcome)
    }
  })
})

describe('limits', () => {
  const head = (count: number): string =>
    `GET / HTTP/1.1\r\nHost: a\r\n${Array.from({ length: count }, (_, i) => `x${i}: y\r\n`).join('')}\r\n`

  it('bound count and size', () => {
    expect(read([Buffer.from(head(49))])).toMatchObject({ method: 'GET' })
    expect(read([Buffer.from(head(50))])).toBe(431)
    expect(read([Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`)])).toBe(431)
    // Refused before its end has come.
    expect(read([Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(17_000)}`)])).toBe(431)
    expect(
      read([
        Buffer.from(
          `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ${'y'.repeat(17_000)}`,
        ),
      ]),
    ).toBe(431)
  })
})

describe('a trailer section', () => {
  const trailers = (count: number): string => Array.from({ length: count }, (_, i) => `x${i}: y\r\n`).join('')
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n'

  it('is bounded in lines, before its end has come', () => {
    expect(read([Buffer.from(`${post}${trailers(50)}\r\n`)])).toMatchObject({ method: 'POST' })
    expect(read([Buffer.from(post + trailers(51))])).toBe(431)
  })

  it('is the same in pieces of one byte', () => {
    const all = Buffer.from(`${post}${trailers(50)}\r\n`)
    expect(read(Array.from(all, (_, i) => all.subarray(i, i + 1)))).toMatchObject({ method: 'POST' })
  })
})

describe('fields', () => {
  const parse = (...lines: string[]): Http1Head =>
    parseRequestHead(['GET / HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n'), limits)

  it('of the connection are cut out, also those that Connection names', () => {
    const head = parse(
      'Connection: close, X-Hop',
      'Keep-Alive: 5',
      'X-Hop: 1',
      'TE: trailers',
      'X-End: 2',
      'Proxy-Connection: x',
    )
    expect(head.close).toBe(true)
    expect(head.fields()).toEqual(['host', 'a', 'x-end', '2'])
    expect(parse('Connection: keep-alive', 'X-End: 2').forwardable()).toBe(
      'GET / HTTP/1.1\r\nHost: a\r\nX-End: 2\r\n\r\n',
    )
  })

  it('that decide routing, framing or identity cannot be named away', () => {
    const head = parse(
      'Connection: host, content-length, authorization, x-forwarded-client-cert',
      'Authorization: b',
    )
    expect(head.fields()).toEqual(['host', 'a', 'authorization', 'b'])
  })

  it('of a response are read as strictly', () => {
    const response = (text: string) => parseResponseHead(text, limits)
    expect(response('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n')).toMatchObject({
      status: 200,
      contentLength: 3,
    })
    expect(response('HTTP/1.1 204\r\n\r\n')).toMatchObject({ status: 204, reason: '' })
    expect(response('HTTP/1.2 200 OK\r\nExpect: nothing\r\n\r\n')).toMatchObject({ status: 200, minor: 1 })
    for (const bad of [
      'HTTP/1.1 20 OK\r\n\r\n',
      'HTTP/1.1 099 OK\r\n\r\n',
      'HTTP/2.0 200 OK\r\n\r\n',
      'HTTP/1.1 2000 OK\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.1 200 OK\r\nX : y\r\n\r\n',
      'HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n',
    ]) {
      expect(() => response(bad)).toThrow(expect.objectContaining({ status: 502 }) as Error)
    }
  })
})
