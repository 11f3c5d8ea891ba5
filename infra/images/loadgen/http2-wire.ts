/** HTTP/2 with prior knowledge, and gRPC on it: one connection per slot and one stream at a time on each. */
import { connect } from 'node:net'
import { echoReplyHead, encodeEchoRequest, grpcPath } from '../kit/grpc/grpc-echo.js'
import { type ConnectionLimits, H2Connection } from '../kit/h2/connection.js'
import { type HeaderList, blockWriter } from '../kit/h2/hpack.js'
import type { StreamHandler } from '../kit/h2/stream.js'
import type { ErrorKind } from '../../../harness/protocol/result.js'
import { type Spec, authorityOf } from './spec.js'
import { type Wire, type WireEvents, type WireFactory, kindOfStatus } from './wire.js'

/** What differs between plain HTTP/2 and gRPC. */
interface Dialect {
  /** Flat pairs, the pseudo fields first. */
  readonly fields: readonly string[]
  /** Undefined: the request has no body. */
  readonly body: Buffer | undefined
  /** Bytes of a good reply that are not payload. */
  readonly overheadBytes: number
  /** Kind of a reply by what is said in its head and after its body. */
  judge(status: number, head: HeaderList, trailers: HeaderList | undefined): ErrorKind | undefined
}

export const h2Wire: WireFactory = (spec, events) =>
  createWire(spec, events, {
    fields: [
      ...[':method', 'GET', ':path', `/echo?size=${spec.payloadBytes}`, ...targetOf(spec)],
      ...['user-agent', 'meshbench', 'accept', '*/*'],
    ],
    body: undefined,
    overheadBytes: 0,
    judge: (status) => kindOfStatus(status),
  })

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const serverFaults = new Set(['2', '4', '13', '14', '15'])

export const grpcWire: WireFactory = (spec, events) =>
  createWire(spec, events, {
    fields: [
      ...[':method', 'POST', ':path', grpcPath, ...targetOf(spec)],
      ...['content-type', 'application/grpc', 'user-agent', 'meshbench', 'te', 'trailers'],
    ],
    body: encodeEchoRequest(spec.payloadBytes),
    overheadBytes: echoReplyHead(spec.payloadBytes).length,
    judge(status, head, trailers) {
      const bad = kindOfStatus(status)
      if (bad !== undefined) return bad
      const code = valueOf(trailers, 'grpc-status') ?? valueOf(head, 'grpc-status')
      if (code === '0') return undefined
      return code === undefined ? 'other' : serverFaults.has(code) ? '5xx' : '4xx'
    },
  })

const targetOf = (spec: Spec): string[] => [':authority', authorityOf(spec.target), ':scheme', 'http']

function valueOf(list: HeaderList | undefined, name: string): string | undefined {
  const at = list?.fields.indexOf(name) ?? -1
  return at < 0 ? undefined : list?.fields[at + 1]
}

/** The windows must not be what limits a large reply; a server may say as often as it likes what it wants. */
const limits: ConnectionLimits = {
  streamsPerConnection: 1,
  headerBytes: 65_536,
  headerCount: 1000,
  continuationFrames: 16,
  resetsPerSecond: Infinity,
  controlFramesPerSecond: Infinity,
  streamWindowBytes: 4 << 20,
}

/** All sockets of a thread read into it: the engine copies what it keeps. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)

function createWire(spec: Spec, events: WireEvents, dialect: Dialect): Wire {
  const request = blockWriter
    .begin()
    .fields([
      ...dialect.fields,
      ...Object.entries(spec.headers ?? {}).flatMap(([name, value]) => [name.toLowerCase(), value]),
    ])
    .copy()
  const expectedBytes = spec.payloadBytes + dialect.overheadBytes
  let open = false
  let closed = false
  const socket = connect({
    host: spec.target.host,
    port: spec.target.port,
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (length, buffer) => {
        connection.read((buffer as Buffer).subarray(0, length))
        return true
      },
    },
  })
  let code: string | undefined
  socket.once('error', (error: NodeJS.ErrnoException) => (code = error.code))
  const fail = (kind: ErrorKind): void => {
    if (closed) return
    closed = true
    socket.destroy()
    events.onClose(kind, code)
  }
  const connection = new H2Connection(socket, 'client', limits, {
    onClose: () => {
      fail(open ? 'reset' : 'connect')
    },
  })
  socket.on('connect', () => {
    open = true
    events.onOpen()
  })

  const done = (kind: ErrorKind | undefined, bodyBytes: number): void => {
    if (closed) return
    const reusable = connection.usable
    if (!reusable) {
      closed = true
      socket.destroy()
    }
    events.onReply(kind, bodyBytes, reusable)
  }
  const follow = (): StreamHandler => {
    let status = 0
    let head: HeaderList | undefined
    let bytes = 0
    const finish = (trailers: HeaderList | undefined): void => {
      const kind =
        dialect.judge(status, head as HeaderList, trailers) ??
        (bytes === expectedBytes ? undefined : 'mismatch')
      done(kind, Math.max(0, bytes - dialect.overheadBytes))
    }
    return {
      onHead(list, ended) {
        const [, stated = ''] = list.fields
        if (stated.startsWith('1')) return
        events.onFirstByte?.()
        head = list
        status = Number(stated)
        if (ended) finish(undefined)
      },
      onData(part) {
        bytes += part.length
      },
      onEnd: finish,
      onDrain() {},
      onReset() {
        // When the connection is gone, that is what is told.
        if (!connection.isClosed) done('reset', 0)
      },
      onOver() {},
    }
  }

  return {
    send() {
      // A connection can be gone before its `close` event has come.
      if (!connection.usable) {
        setImmediate(fail, 'reset')
        return
      }
      const stream = connection.request(request, request.length, dialect.body === undefined, follow())
      if (!dialect.body) return
      stream.write(dialect.body)
      stream.end()
    },
    destroy() {
      closed = true
      socket.destroy()
    },
  }
}
