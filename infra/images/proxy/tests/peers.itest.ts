/** The same raw bytes to haproxy, nginx, Envoy, nghttpx and this proxy: where the four agree it does as they do, else as the RFC says. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missing } from '../../bench/peers/programs.js'
import { http1Subjects } from '../../bench/peers/subjects.js'
import type { RunningSubject } from '../../bench/peers/subject.js'
import { endedByReset } from '../../kit/net/reset.js'
import { createWorkspace, listenTcp } from '../../kit/testing.js'

type Verdict = 'accepted' | 'refused'

interface Row {
  readonly name: string
  readonly request: string
  /** What the server answers; a short 200 by default. */
  readonly answer?: string
  readonly ours: Verdict
  /** Needed where the four differ among themselves, or from us: what decides. */
  readonly decidedBy?: string
}

const get = (line: string, ...fields: string[]): string => [line, ...fields, '', ''].join('\r\n')
const chunked = (body: string): string =>
  get('POST / HTTP/1.1', 'Host: a.test', 'Transfer-Encoding: chunked') + body
const plain = get('GET / HTTP/1.1', 'Host: a.test')

const rows: readonly Row[] = [
  { name: 'a host with an empty port', request: get('GET / HTTP/1.1', 'Host: a.test:'), ours: 'accepted' },
  {
    name: 'HTTP/1.2',
    request: get('GET / HTTP/1.2', 'Host: a.test'),
    ours: 'accepted',
    decidedBy: 'RFC 9110 §2.5: a higher minor version is processed as the highest that is known',
  },
  {
    name: 'absolute form whose port is the default',
    request: get('GET http://a.test:80/ HTTP/1.1', 'Host: a.test'),
    ours: 'accepted',
  },
  {
    name: 'white space before a chunk extension',
    request: chunked('2 ;x=y\r\nab\r\n0\r\n\r\n'),
    ours: 'accepted',
    decidedBy: 'RFC 9112 §7.1.1: bad white space before the semicolon has to be understood',
  },
  {
    name: 'leading zeros in a chunk size',
    request: chunked(`${'0'.repeat(14)}2\r\nab\r\n0\r\n\r\n`),
    ours: 'accepted',
  },
  { name: 'a chunk extension', request: chunked('2;x=y\r\nab\r\n0\r\n\r\n'), ours: 'accepted' },
  { name: 'trailers', request: chunked('2\r\nab\r\n0\r\nx-sum: 1\r\n\r\n'), ours: 'accepted' },
  {
    name: 'HTTP/1.0 without a host',
    request: get('GET / HTTP/1.0'),
    ours: 'accepted',
    decidedBy: 'RFC 9112 §3.2 asks HTTP/1.1 for it',
  },
  {
    name: 'two hosts',
    request: get('GET / HTTP/1.1', 'Host: a.test', 'Host: b.test'),
    ours: 'refused',
    decidedBy: 'RFC 9112 §3.2: 400 for more than one',
  },
  {
    name: 'no host',
    request: get('GET / HTTP/1.1'),
    ours: 'refused',
    decidedBy: 'RFC 9112 §3.2: 400 for none in HTTP/1.1',
  },
  {
    name: 'content-length with a sign',
    request: get('POST / HTTP/1.1', 'Host: a.test', 'Content-Length: +2') + 'ab',
    ours: 'refused',
  },
  {
    name: 'two lengths',
    request: get('POST / HTTP/1.1', 'Host: a.test', 'Content-Length: 1', 'Content-Length: 2') + 'ab',
    ours: 'refused',
  },
  {
    name: 'length and chunks',
    request:
      get('POST / HTTP/1.1', 'Host: a.test', 'Content-Length: 4', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
    ours: 'refused',
    decidedBy: 'RFC 9112 §6.3: it ought to be handled as an error',
  },
  {
    name: 'a space before the colon',
    request: get('GET / HTTP/1.1', 'Host: a.test', 'X-A : b'),
    ours: 'refused',
    decidedBy: 'RFC 9112 §5.1: 400',
  },
  {
    name: 'a folded line',
    request: get('GET / HTTP/1.1', 'Host: a.test', 'X-A: b', ' c'),
    ours: 'refused',
    decidedBy: 'RFC 9112 §5.2: 400, or the fold replaced',
  },
  { name: 'a chunk size with 0x', request: chunked('0x2\r\nab\r\n0\r\n\r\n'), ours: 'refused' },
  {
    name: 'a chunk longer than its size',
    request: chunked('2\r\nabc\r\n0\r\n\r\n'),
    ours: 'refused',
    decidedBy: 'RFC 9112 §7.1: CRLF follows the data',
  },
  {
    name: 'bare line feeds',
    request: 'GET / HTTP/1.1\nHost: a.test\n\n',
    ours: 'refused',
    decidedBy: 'RFC 9112 §2.2 lets a lone LF pass; who does and who does not read two messages',
  },
  {
    name: 'a NUL in a value',
    request: get('GET / HTTP/1.1', 'Host: a.test', 'X-A: b\0c'),
    ours: 'refused',
    decidedBy: 'RFC 9110 §5.5: rejected or replaced',
  },
  {
    name: 'an answer with Expect',
    request: plain,
    answer: get('HTTP/1.1 200 OK', 'Expect: nothing', 'Content-Length: 0'),
    ours: 'accepted',
  },
  {
    name: 'an answer of HTTP/1.2',
    request: plain,
    answer: get('HTTP/1.2 200 OK', 'Content-Length: 0'),
    ours: 'accepted',
    decidedBy: 'RFC 9110 §2.5, as for requests',
  },
  {
    name: 'an answer with length and chunks',
    request: plain,
    answer: get('HTTP/1.1 200 OK', 'Content-Length: 4', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
    ours: 'refused',
    decidedBy: 'RFC 9112 §6.3: it ought to be handled as an error',
  },
  {
    name: 'an answer with status 999',
    request: plain,
    answer: get('HTTP/1.1 999 Odd', 'Content-Length: 0'),
    ours: 'accepted',
  },
  {
    name: 'an answer with status 20',
    request: plain,
    answer: get('HTTP/1.1 20 OK', 'Content-Length: 0'),
    ours: 'refused',
  },
]

const peers = ['haproxy', 'nginx', 'Envoy', 'nghttpx'] as const
const without = (['haproxy', 'nginx', 'envoy', 'nghttpx'] as const).flatMap((name) => missing(name) ?? [])
if (without.length > 0) console.log(`peers that do not answer beside the proxy: ${without.join('; ')}`)

const workspace = createWorkspace()
const running = new Map<string, RunningSubject>()
let server: Awaited<ReturnType<typeof listenTcp>>
/** What the server answers, and what it does to its connection then. */
let answer = ''
let leaving: 'stays' | 'end' | 'reset' = 'stays'

beforeAll(async () => {
  server = await listenTcp((socket) => {
    let seen = ''
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1')
      const end = seen.indexOf('\r\n\r\n')
      const isChunked = /transfer-encoding: *chunked/i.test(seen)
      if (end < 0 || (isChunked && !/\r\n0+\r\n[^]*\r\n$/.test(seen.slice(end)))) return
      seen = ''
      socket.write(answer, 'latin1')
      if (leaving === 'end') socket.end()
      else if (leaving === 'reset') socket.resetAndDestroy()
    })
    socket.on('end', () => socket.end())
  })
  for (const subject of http1Subjects) {
    if (subject.name === 'proxy with functions' || subject.missing?.() !== undefined) continue
    const name = subject.name.startsWith('proxy') ? 'ours' : subject.name
    running.set(name, await subject.start(workspace, { host: server.host, port: server.port }))
  }
}, 60_000)
afterAll(async () => {
  for (const subject of running.values()) await subject.stop()
  server.close()
  workspace.remove()
})

/** Sends bytes and returns what came until the end, or until nothing came for a while, and how it ended. */
async function ask(name: string, bytes: string): Promise<[text: string, end: 'reset' | 'end' | 'open']> {
  const { entry } = running.get(name) as RunningSubject
  const socket = connect({ ...entry, allowHalfOpen: true })
  let text = ''
  return new Promise((resolve) => {
    const done = (end: 'reset' | 'end' | 'open'): void => {
      resolve([text, end])
      socket.destroy()
    }
    const timer = setTimeout(done, 1500, 'open')
    socket.on('data', (part) => {
      text += part.toString('latin1')
      if (/^HTTP\/1\.\d \d{3} [^]*\r\n\r\n/.test(text)) timer.refresh()
    })
    socket.on('error', () => {
      done('reset')
    })
    socket.on('end', () => {
      done(endedByReset(socket) ? 'reset' : 'end')
    })
    socket.write(bytes, 'latin1')
  })
}

const short = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

/** One row through every proxy that is there. */
async function everyone<T>(judge: (name: string) => Promise<T>): Promise<Record<string, T>> {
  return Object.fromEntries(
    await Promise.all([...running.keys()].map(async (name) => [name, await judge(name)] as const)),
  )
}

/** Ours is as the row has it; the four agree with it, or the row says what decides. */
function compare<T>(
  { ours: mine, ...theirs }: Record<string, T>,
  { ours, decidedBy }: { readonly ours: T; readonly decidedBy?: string },
): void {
  expect(mine).toBe(ours)
  if (peers.some((name) => !(name in theirs))) return
  const others = peers.map((name) => [name, theirs[name]])
  const isAgreed = others.every(([, verdict]) => verdict === ours)
  expect([isAgreed, others]).toEqual([decidedBy === undefined, others])
}

describe('raw bytes', () => {
  it.each(rows)('$name', async (row) => {
    leaving = 'stays'
    answer = row.answer ?? short
    const verdicts = await everyone(async (name): Promise<Verdict> => {
      const [text] = await ask(name, row.request)
      return /^HTTP\/1\.[01] (200|999)/.test(text) ? 'accepted' : 'refused'
    })
    compare(verdicts, row)
  })
})

interface Cut {
  readonly name: string
  readonly answer: string
  readonly leaving: 'end' | 'reset'
  readonly ours: 'looks whole' | 'looks cut'
  readonly decidedBy?: string
}

const cuts: readonly Cut[] = [
  {
    name: 'an answer without a length, and an end',
    answer: 'HTTP/1.1 200 OK\r\n\r\nall',
    leaving: 'end',
    ours: 'looks whole',
    decidedBy: 'RFC 9112 §8; Envoy does not speak HTTP/1.0 unless it is told to',
  },
  {
    name: 'an answer without a length, and a reset',
    answer: 'HTTP/1.1 200 OK\r\n\r\nhalf',
    leaving: 'reset',
    ours: 'looks cut',
    decidedBy: 'RFC 9112 §8: complete unless the connection indicated an error',
  },
  {
    name: 'an end in the middle of chunks',
    answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    leaving: 'end',
    ours: 'looks cut',
    decidedBy: 'RFC 9112 §8: incomplete without the last chunk',
  },
]

describe('to a client of HTTP/1.0', () => {
  it.each(cuts)('$name', async (cut) => {
    ;({ answer, leaving } = cut)
    const verdicts = await everyone(async (name): Promise<Cut['ours']> => {
      const [text, end] = await ask(name, get('GET / HTTP/1.0', 'Host: a.test'))
      return end === 'end' && /^HTTP\/1\.[01] 200/.test(text) ? 'looks whole' : 'looks cut'
    })
    compare(verdicts, cut)
  })
})
