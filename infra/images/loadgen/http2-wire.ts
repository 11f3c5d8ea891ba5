/** HTTP/2 with prior knowledge, and gRPC on it: one connection per slot and one stream at a time on each. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  connect as connectHttp2,
} from 'node:http2'
import { connect } from 'node:net'
import { echoReplyHead, encodeEchoRequest, grpcPath } from '../kit/grpc/grpc-echo.js'
import type { ErrorKind } from '../../../harness/protocol/result.js'
import { type Spec, authorityOf } from './spec.js'
import { type Wire, type WireEvents, type WireFactory, kindOfStatus } from './wire.js'

/** What differs between plain HTTP/2 and gRPC. */
interface Dialect {
  readonly headers: OutgoingHttpHeaders
  /** Undefined: the request has no body. */
  readonly body: Buffer | undefined
  /** Bytes of a good reply that are not payload. */
  readonly overheadBytes: number
  /** Kind of a reply by what is said after its body. */
  judge(status: number, headers: IncomingHttpHeaders, trailers: IncomingHttpHeaders): ErrorKind | undefined
}

export const h2Wire: WireFactory = (spec, events) =>
  createWire(spec, events, {
    headers: {
      ':method': 'GET',
      ':path': `/echo?size=${spec.payloadBytes}`,
      'user-agent': 'meshbench',
      accept: '*/*',
    },
    body: undefined,
    overheadBytes: 0,
    judge: (status) => kindOfStatus(status),
  })

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const serverFaults = new Set(['2', '4', '13', '14', '15'])

export const grpcWire: WireFactory = (spec, events) =>
  createWire(spec, events, {
    headers: {
      ':method': 'POST',
      ':path': grpcPath,
      'content-type': 'application/grpc',
      'user-agent': 'meshbench',
      te: 'trailers',
    },
    body: encodeEchoRequest(spec.payloadBytes),
    overheadBytes: echoReplyHead(spec.payloadBytes).length,
    judge(status, headers, trailers) {
      const bad = kindOfStatus(status)
      if (bad !== undefined) return bad
      const code = trailers['grpc-status'] ?? headers['grpc-status']
      if (code === '0') return undefined
      return typeof code !== 'string' ? 'other' : serverFaults.has(code) ? '5xx' : '4xx'
    },
  })

function createWire(spec: Spec, events: WireEvents, dialect: Dialect): Wire {
  const headers = {
    ...dialect.headers,
    ...spec.headers,
    ':authority': authorityOf(spec.target),
    ':scheme': 'http',
  }
  const expectedBytes = spec.payloadBytes + dialect.overheadBytes
  let open = false
  let closed = false
  const session: ClientHttp2Session = connectHttp2(`http://${authorityOf(spec.target)}`, {
    createConnection: () => connect({ host: spec.target.host, port: spec.target.port, noDelay: true }),
    settings: { enablePush: false, initialWindowSize: 4 * 1024 * 1024 },
  })

  const fail = (kind: ErrorKind): void => {
    if (closed) return
    closed = true
    session.destroy()
    events.onClose(kind)
  }

  session.on('connect', () => {
    open = true
    // The window of the connection, too, must not be what limits a large reply (RFC 9113 §6.9.2).
    session.setLocalWindowSize(16 * 1024 * 1024)
    events.onOpen()
  })
  session.on('error', () => fail(open ? 'reset' : 'connect'))
  session.on('close', () => fail(open ? 'reset' : 'connect'))
  let goingAway = false
  session.on('goaway', () => {
    goingAway = true
  })

  const follow = (stream: ClientHttp2Stream): void => {
    let status = 0
    let reply: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    let bytes = 0
    stream.on('response', (replyHeaders: IncomingHttpHeaders) => {
      events.onFirstByte?.()
      reply = replyHeaders
      status = Number(replyHeaders[':status'])
    })
    stream.on('trailers', (last: unknown) => {
      trailers = last as IncomingHttpHeaders
    })
    stream.on('data', (part: Buffer) => {
      bytes += part.length
    })
    stream.on('error', () => {})
    stream.on('end', () => {
      if (closed || stream.rstCode !== 0) return
      const kind =
        dialect.judge(status, reply, trailers) ?? (bytes === expectedBytes ? undefined : 'mismatch')
      done(kind, Math.max(0, bytes - dialect.overheadBytes))
    })
    stream.on('close', () => {
      if (stream.rstCode !== 0) done('reset', 0)
    })
    let settled = false
    const done = (kind: ErrorKind | undefined, bodyBytes: number): void => {
      if (settled || closed) return
      settled = true
      const reusable = !goingAway
      if (!reusable) {
        closed = true
        session.destroy()
      }
      events.onReply(kind, bodyBytes, reusable)
    }
  }

  return {
    send() {
      // A session can be gone before its `close` event has come.
      if (session.closed || session.destroyed) {
        setImmediate(fail, 'reset')
        return
      }
      const stream = session.request(headers, { endStream: dialect.body === undefined })
      follow(stream)
      if (dialect.body) stream.end(dialect.body)
    },
    destroy() {
      closed = true
      session.destroy()
    },
  }
}
