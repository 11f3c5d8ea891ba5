/** HTTP/1.1 on a bare socket with a strict parser: `node:http` costs twice the CPU and hides when bytes were sent. */
import { connect } from 'node:net'
import { BodyReader, endOfHead, parseHead } from '../kit/http1/http1-message.js'
import { authorityOf } from './spec.js'
import { type Wire, type WireFactory, kindOfStatus } from './wire.js'

const empty = Buffer.alloc(0)

/** All sockets of a thread read into it: what is left over is copied before the next socket is read. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)

export const http1Wire: WireFactory = (spec, events): Wire => {
  const fields = Object.entries({
    host: authorityOf(spec.target),
    'user-agent': 'meshbench',
    accept: '*/*',
    ...spec.headers,
  })
  const request = Buffer.from(
    `GET /echo?size=${spec.payloadBytes} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    'latin1',
  )
  let open = false
  let inFlight = false
  let awaitsFirstByte = false
  let closed = false
  /** Start of a head that has not come whole. */
  let partial: Buffer = empty
  let status = 0
  let reusable = true
  let body: BodyReader | undefined

  const socket = connect({
    host: spec.target.host,
    port: spec.target.port,
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (length, buffer) => {
        onBytes(buffer as Buffer, length)
        return true
      },
    },
  })

  const fail = (kind: 'connect' | 'reset' | 'other', code?: string): void => {
    if (closed) return
    closed = true
    socket.destroy()
    events.onClose(kind, code)
  }

  const onBytes = (buffer: Buffer, length: number): void => {
    if (closed) return
    if (awaitsFirstByte) {
      awaitsFirstByte = false
      events.onFirstByte?.()
    }
    try {
      if (partial.length === 0) parse(buffer, length)
      else {
        const whole = Buffer.concat([partial, buffer.subarray(0, length)])
        partial = empty
        parse(whole, whole.length)
      }
    } catch {
      fail('other')
    }
  }

  const parse = (buffer: Buffer, end: number): void => {
    let at = 0
    while (at < end) {
      if (!inFlight) throw new Error('bytes that nobody asked for')
      if (!body) {
        const headEnd = endOfHead(buffer.subarray(0, end), at)
        if (headEnd < 0) {
          partial = Buffer.from(buffer.subarray(at, end))
          return
        }
        body = startReply(buffer.toString('latin1', at, headEnd - 4))
        at = headEnd
        // An interim reply (RFC 9110 §15.2) is not the answer.
        if (!body) continue
      }
      at = body.feed(buffer, at, end)
      if (body.done) finish(at === end)
      if (closed) return
    }
  }

  const startReply = (text: string): BodyReader | undefined => {
    const head = parseHead(text)
    const match = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(head.startLine)
    if (!match) throw new Error('bad status line')
    status = Number(match[2])
    if (status < 200) return undefined
    const options = head.connection
    reusable = match[1] === '1' ? !options.includes('close') : options.includes('keep-alive')
    if (status === 204 || status === 304) return new BodyReader(0)
    return new BodyReader(head.chunked ? 'chunked' : (head.contentLength ?? 'close'))
  }

  const finish = (clean: boolean): void => {
    const bytes = body?.bytes ?? 0
    body = undefined
    inFlight = false
    const kind = kindOfStatus(status) ?? (bytes === spec.payloadBytes ? undefined : 'mismatch')
    const again = clean && reusable
    if (!again) {
      closed = true
      socket.destroy()
    }
    events.onReply(kind, bytes, again)
  }

  socket.on('connect', () => {
    open = true
    events.onOpen()
  })
  socket.on('end', () => {
    // A body without a length ends with its connection.
    if (!closed && body?.endsWithConnection) {
      reusable = false
      finish(true)
    } else fail('reset')
  })
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    fail(open ? 'reset' : 'connect', code)
  })
  socket.on('close', () => {
    fail(open ? 'reset' : 'connect')
  })

  return {
    send() {
      inFlight = true
      awaitsFirstByte = true
      socket.write(request)
    },
    destroy() {
      closed = true
      socket.destroy()
    },
  }
}
