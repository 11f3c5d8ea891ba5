/** HTTP/2 with prior knowledge, and gRPC on it: one connection per slot and one stream at a time on each. */
import { echoReplyHead, encodeEchoRequest, grpcPath } from '../../kit/grpc/grpc-echo.js'
import { H2Connection } from '../../kit/h2/connection.js'
import { type HeaderList, blockWriter } from '../../kit/h2/hpack.js'
import { readResponse, readTrailers } from '../../kit/h2/message.js'
import type { ConnectionLimits } from '../../kit/h2/settings.js'
import { firstValue } from '../../kit/http1/http1-head.js'
import type { StreamHandler } from '../../kit/h2/stream.js'
import type { ErrorKind } from '../../../../harness/protocol/result.js'
import { type Spec, authorityOf } from '../spec.js'
import { type Wire, type WireEvents, type WireFactory, kindOfStatus } from './wire.js'
import { WireSocket } from './wire-socket.js'

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
  new H2Wire(spec, events, {
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
  new H2Wire(spec, events, {
    fields: [
      ...[':method', 'POST', ':path', grpcPath, ...targetOf(spec)],
      ...['content-type', 'application/grpc', 'user-agent', 'meshbench', 'te', 'trailers'],
    ],
    body: encodeEchoRequest(spec.payloadBytes),
    overheadBytes: echoReplyHead(spec.payloadBytes).length,
    judge(status, head, trailers) {
      const bad = kindOfStatus(status)
      if (bad !== undefined) return bad
      const last = trailers && firstValue(trailers.fields, 'grpc-status')
      const code = last ?? firstValue(head.fields, 'grpc-status')
      if (code === '0') return undefined
      return code === undefined ? 'other' : serverFaults.has(code) ? '5xx' : '4xx'
    },
  })

const targetOf = (spec: Spec): string[] => [':authority', authorityOf(spec.target), ':scheme', 'http']

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

class H2Wire implements Wire {
  readonly #events: WireEvents
  readonly #dialect: Dialect
  readonly #request: Buffer
  readonly #expectedBytes: number
  readonly #socket: WireSocket
  readonly #connection: H2Connection

  constructor(spec: Spec, events: WireEvents, dialect: Dialect) {
    this.#events = events
    this.#dialect = dialect
    this.#request = blockWriter
      .begin()
      .fields([
        ...dialect.fields,
        ...Object.entries(spec.headers).flatMap(([name, value]) => [name.toLowerCase(), value]),
      ])
      .copy()
    this.#expectedBytes = spec.payloadBytes + dialect.overheadBytes
    this.#socket = new WireSocket(spec.target, events, (buffer, length) => {
      this.#connection.read(buffer.subarray(0, length))
    })
    const { socket } = this.#socket
    let code: string | undefined
    socket.once('error', (error: NodeJS.ErrnoException) => (code = error.code))
    this.#connection = new H2Connection(socket, 'client', limits, {
      onClose: () => {
        this.#socket.lose(code)
      },
    })
  }

  send(): void {
    const { body } = this.#dialect
    // A connection can be gone before its `close` event has come.
    if (!this.#connection.usable) {
      setImmediate(() => {
        this.#socket.fail('reset')
      })
      return
    }
    const stream = this.#connection.request(this.#request, this.#request.length, !body, this.#follow())
    if (!body) return
    stream.write(body)
    stream.end()
  }

  destroy(): void {
    this.#socket.close()
  }

  #follow(): StreamHandler {
    let status = 0
    let head: HeaderList | undefined
    let bytes = 0
    const onEnd = (trailers: HeaderList | undefined): void => {
      if (trailers !== undefined && readTrailers(trailers) === undefined) {
        this.#socket.fail('other')
        return
      }
      const kind =
        this.#dialect.judge(status, head as HeaderList, trailers) ??
        (bytes === this.#expectedBytes ? undefined : 'mismatch')
      this.#finish(kind, Math.max(0, bytes - this.#dialect.overheadBytes))
    }
    return {
      onHead: (list, isEnded) => {
        const answer = readResponse(list)
        if (answer === undefined) {
          this.#socket.fail('other')
          return
        }
        if (answer.status < 200) return
        this.#events.onFirstByte?.()
        head = list
        status = answer.status
        if (isEnded) onEnd(undefined)
      },
      onData(part) {
        bytes += part.length
      },
      onEnd,
      onDrain() {},
      onReset: () => {
        // When the connection is gone, that is what is told.
        if (!this.#connection.isClosed) this.#finish('reset', 0)
      },
      onOver() {},
    }
  }

  #finish(kind: ErrorKind | undefined, bodyBytes: number): void {
    if (this.#socket.isClosed) return
    const isReusable = this.#connection.usable
    if (!isReusable) this.#socket.close()
    this.#events.onReply(kind, bodyBytes, isReusable)
  }
}
