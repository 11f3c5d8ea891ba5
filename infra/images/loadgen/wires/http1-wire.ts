/** HTTP/1.1 on a bare socket with a strict parser: `node:http` costs twice the CPU and hides when bytes were sent. */
import { BodyReader, endLimits } from '../../kit/http1/body.js'
import { endOfHead, parseResponseHead } from '../../kit/http1/head.js'
import type { Http1Head } from '../../kit/http1/http1-head.js'
import { type AskedKind, bodyOf, kindsOf, onceFor } from '../mix.js'
import { type Spec, authorityOf } from '../spec.js'
import { type Wire, type WireEvents, kindOfStatus } from './wire.js'
import { WireSocket } from './wire-socket.js'

const empty = Buffer.alloc(0)

export class Http1Wire implements Wire {
  readonly #events: WireEvents
  readonly #connection: WireSocket
  readonly #kinds: readonly WrittenKind[]
  #payloadBytes = 0
  #isInFlight = false
  #awaitsFirstByte = false
  /** Start of a head that has not come whole. */
  #partial: Buffer = empty
  #status = 0
  #isReusable = true
  #body: BodyReader | undefined

  constructor(spec: Spec, events: WireEvents) {
    this.#events = events
    this.#kinds = kindsWritten(spec)
    this.#connection = new WireSocket(spec.target, events, (buffer, length) => {
      this.#read(buffer, length)
    })
    this.#follow()
  }

  send(kind: number): void {
    const { request, payloadBytes } = this.#kinds[kind] as WrittenKind
    this.#payloadBytes = payloadBytes
    this.#isInFlight = true
    this.#awaitsFirstByte = true
    this.#connection.socket.write(request)
  }

  destroy(): void {
    this.#connection.close()
  }

  #follow(): void {
    const { socket } = this.#connection
    socket.on('end', () => {
      // A body without a length ends with its connection.
      if (!this.#connection.isClosed && this.#body?.endsWithConnection) {
        this.#isReusable = false
        this.#finish(true)
      } else this.#connection.fail('reset')
    })
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      this.#connection.lose(code)
    })
    socket.on('close', () => {
      this.#connection.lose()
    })
  }

  #read(buffer: Buffer, length: number): void {
    if (this.#awaitsFirstByte) {
      this.#awaitsFirstByte = false
      this.#events.onFirstByte?.()
    }
    try {
      if (this.#partial.length === 0) this.#parse(buffer, length)
      else {
        const whole = Buffer.concat([this.#partial, buffer.subarray(0, length)])
        this.#partial = empty
        this.#parse(whole, whole.length)
      }
    } catch {
      this.#connection.fail('other')
    }
  }

  #parse(buffer: Buffer, end: number): void {
    let at = 0
    while (at < end) {
      if (!this.#isInFlight) throw new Error('bytes that nobody asked for')
      if (!this.#body) {
        const headEnd = endOfHead(buffer, at, end, endLimits)
        if (headEnd < 0) {
          this.#partial = Buffer.from(buffer.subarray(at, end))
          return
        }
        this.#body = this.#startReply(parseResponseHead(buffer.toString('latin1', at, headEnd), endLimits))
        at = headEnd
        // An interim reply (RFC 9110 §15.2) is not the answer.
        if (!this.#body) continue
      }
      at = this.#body.feed(buffer, at, end)
      if (this.#body.done) this.#finish(at === end)
      if (this.#connection.isClosed) return
    }
  }

  #startReply(head: Http1Head): BodyReader | undefined {
    const { status, minor, close, keepAlive, chunked, contentLength } = head
    this.#status = status
    if (status < 200) return undefined
    this.#isReusable = !close && (minor === 1 || keepAlive)
    if (status === 204 || status === 304) return new BodyReader(0)
    return new BodyReader(chunked ? 'chunked' : contentLength < 0 ? 'close' : contentLength)
  }

  /** `isWhole`: nothing came behind the reply. */
  #finish(isWhole: boolean): void {
    const bytes = this.#body?.bytes ?? 0
    this.#body = undefined
    this.#isInFlight = false
    const kind = kindOfStatus(this.#status) ?? (bytes === this.#payloadBytes ? undefined : 'mismatch')
    const isReusable = isWhole && this.#isReusable
    if (!isReusable) this.#connection.close()
    this.#events.onReply(kind, bytes, isReusable)
  }
}

interface WrittenKind {
  readonly request: Buffer
  readonly payloadBytes: number
}

/** Written once for all connections that send the same. */
const kindsWritten = onceFor((spec): readonly WrittenKind[] =>
  kindsOf(spec).map((kind) => ({ request: requestOf(spec, kind), payloadBytes: kind.payloadBytes })),
)

function requestOf({ target, headers }: Spec, { requestBytes, payloadBytes }: AskedKind): Buffer {
  const fields = Object.entries({
    host: authorityOf(target),
    'user-agent': 'meshbench',
    accept: '*/*',
    ...(requestBytes > 0 ? { 'content-length': String(requestBytes) } : {}),
    ...headers,
  })
  const method = requestBytes > 0 ? 'POST' : 'GET'
  const head = `${method} /echo?size=${payloadBytes} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), bodyOf(requestBytes)])
}
