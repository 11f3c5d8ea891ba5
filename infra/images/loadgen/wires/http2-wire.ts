/** HTTP/2 with prior knowledge, and gRPC on it: one connection per slot and one stream at a time on each. */
import { echoReplyHead, encodeEchoRequest, grpcPath } from '../../kit/grpc/grpc-echo.js'
import { H2Connection } from '../../kit/h2/connection.js'
import { type HeaderList, blockWriter } from '../../kit/h2/hpack.js'
import { readResponse, readTrailers } from '../../kit/h2/message.js'
import type { ConnectionLimits } from '../../kit/h2/settings.js'
import { firstValue } from '../../kit/http1/http1-head.js'
import type { StreamHandler } from '../../kit/h2/stream.js'
import type { ErrorKind } from '../../../../harness/protocol/result.js'
import { bodyOf, kindsOf, onceFor } from '../mix.js'
import { type Spec, authorityOf } from '../spec.js'
import { type Wire, type WireEvents, type WireFactory, kindOfStatus } from './wire.js'
import { WireSocket } from './wire-socket.js'

/** What differs between plain HTTP/2 and gRPC. */
interface Dialect {
  readonly kinds: readonly WrittenKind[]
  /** Kind of a reply by what is said in its head and after its body. */
  judge(status: number, head: HeaderList, trailers: HeaderList | undefined): ErrorKind | undefined
}

interface WrittenKind {
  /** The block of the request's fields. */
  readonly head: Buffer
  /** Undefined: the request has no body. */
  readonly body: Buffer | undefined
  /** Of a good reply, and how many of its bytes are not payload. */
  readonly expectedBytes: number
  readonly overheadBytes: number
}

const plain = onceFor((spec): Dialect => ({
  kinds: kindsOf(spec).map(({ requestBytes, payloadBytes }) => {
    const hasBody = requestBytes > 0
    return {
      head: headOf(spec, hasBody ? 'POST' : 'GET', `/echo?size=${payloadBytes}`, [
        ...['accept', '*/*', ...(hasBody ? ['content-length', String(requestBytes)] : [])],
      ]),
      body: hasBody ? bodyOf(requestBytes) : undefined,
      ...{ expectedBytes: payloadBytes, overheadBytes: 0 },
    }
  }),
  judge: (status) => kindOfStatus(status),
}))

export const h2Wire: WireFactory = (spec, events) => new H2Wire(spec, events, plain(spec))

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const serverFaults = new Set(['2', '4', '13', '14', '15'])

const grpc = onceFor((spec): Dialect => ({
  kinds: kindsOf(spec).map(({ requestBytes, payloadBytes }) => {
    const overheadBytes = echoReplyHead(payloadBytes).length
    return {
      head: headOf(spec, 'POST', grpcPath, ['content-type', 'application/grpc', 'te', 'trailers']),
      body: encodeEchoRequest(payloadBytes, bodyOf(requestBytes)),
      ...{ expectedBytes: payloadBytes + overheadBytes, overheadBytes },
    }
  }),
  judge(status, head, trailers) {
    const bad = kindOfStatus(status)
    if (bad !== undefined) return bad
    const last = trailers && firstValue(trailers.fields, 'grpc-status')
    const code = last ?? firstValue(head.fields, 'grpc-status')
    if (code === '0') return undefined
    return code === undefined ? 'other' : serverFaults.has(code) ? '5xx' : '4xx'
  },
}))

export const grpcWire: WireFactory = (spec, events) => new H2Wire(spec, events, grpc(spec))

/** Fields of a request, the pseudo fields first. */
function headOf(spec: Spec, method: string, path: string, own: readonly string[]): Buffer {
  const others = Object.entries(spec.headers).flatMap(([name, value]) => [name.toLowerCase(), value])
  return blockWriter
    .begin()
    .fields([
      ...[':method', method, ':path', path, ':authority', authorityOf(spec.target), ':scheme', 'http'],
      ...['user-agent', 'meshbench', ...own, ...others],
    ])
    .copy()
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

class H2Wire implements Wire {
  readonly #events: WireEvents
  readonly #dialect: Dialect
  readonly #socket: WireSocket
  readonly #connection: H2Connection

  constructor(spec: Spec, events: WireEvents, dialect: Dialect) {
    this.#events = events
    this.#dialect = dialect
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

  send(kind: number): void {
    const asked = this.#dialect.kinds[kind] as WrittenKind
    const { head, body } = asked
    // A connection can be gone before its `close` event has come.
    if (!this.#connection.usable) {
      setImmediate(() => {
        this.#socket.fail('reset')
      })
      return
    }
    const stream = this.#connection.request(head, head.length, !body, this.#follow(asked))
    if (!body) return
    stream.write(body)
    stream.end()
  }

  destroy(): void {
    this.#socket.close()
  }

  #follow({ expectedBytes, overheadBytes }: WrittenKind): StreamHandler {
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
        (bytes === expectedBytes ? undefined : 'mismatch')
      this.#finish(kind, Math.max(0, bytes - overheadBytes))
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
