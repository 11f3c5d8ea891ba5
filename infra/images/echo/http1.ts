/** HTTP/1.1 on a bare socket: `node:http` costs twice as much per request, and the application must not be the bulk of what is measured. */
import type { Socket } from 'node:net'
import { BodyReader, Http1Error, type MessageHead, endOfHead, parseHead } from '../kit/http1/http1-message.js'
import { type EchoRequest, EchoRequestError, parseTarget } from './request.js'
import { type EchoConnection, type EchoService, maxEchoedBytes, pattern, writePattern } from './service.js'

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  400: 'Bad Request',
  404: 'Not Found',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
}

/** Replies of the running second by status and size: the `date` header changes with it. */
const ready = new Map<string, Buffer>()
let readyForSecond = 0

interface Request {
  readonly method: string
  readonly target: string
  readonly connection: 'keep' | 'keep, and say so' | 'close'
  readonly body: BodyReader
  /** The body's parts, when they are sent back. */
  readonly parts: Buffer[]
}

/** Serves one connection. `first` is what was already read from it. */
export function serveHttp1(socket: Socket, first: Buffer, service: EchoService): EchoConnection {
  let buffer = first
  let request: Request | undefined
  /** A reply is on its way: what the client pipelines meanwhile waits. */
  let replying = false
  let clientEnded = false

  const proceed = (): void => {
    try {
      while (!replying && !socket.destroyed && buffer.length > 0) {
        if (!request) {
          const end = endOfHead(buffer, 0)
          if (end < 0) break
          const head = parseHead(buffer.toString('latin1', 0, end - 4))
          buffer = buffer.subarray(end)
          request = startRequest(head)
          if (head.expectContinue) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
        }
        const { body, parts } = request
        if (!body.done) {
          const used = body.feed(buffer, 0, buffer.length, (part) => {
            if (body.bytes + part.length > maxEchoedBytes)
              throw new Http1Error(413, 'the body is over 16 MiB')
            parts.push(part)
          })
          buffer = buffer.subarray(used)
        }
        if (!body.done) break
        const whole = request
        request = undefined
        answer(whole)
      }
    } catch (error) {
      refuse(error)
      return
    }
    if (replying && buffer.length > 64 * 1024) socket.pause()
    if (clientEnded && !replying) socket.end()
  }

  const answer = (whole: Request): void => {
    let asked: EchoRequest
    try {
      asked = parseTarget(whole.target)
    } catch (error) {
      if (!(error instanceof EchoRequestError)) throw error
      throw new Http1Error(400, error.message)
    }
    replying = true
    service.faults.apply(asked.delayUs, () => {
      if (socket.destroyed) return
      service.countRequest(asked.status)
      send(whole, asked)
    })
  }

  const send = (whole: Request, asked: EchoRequest): void => {
    const connection = service.isDraining() ? 'close' : whole.connection
    const close = connection === 'close'
    const isHead = whole.method === 'HEAD'
    const size = asked.status === 204 || asked.status === 304 ? 0 : (asked.sizeBytes ?? whole.body.bytes)
    if (!isHead && asked.sizeBytes !== undefined && size <= pattern.length && connection === 'keep') {
      socket.write(readyReply(asked.status, size))
    } else {
      socket.write(headOf(asked.status, size, connection), 'latin1')
      if (!isHead && asked.sizeBytes === undefined && size > 0)
        for (const part of whole.parts) socket.write(part)
      else if (!isHead && size > 0) {
        service.sentBytes.add(size)
        writePattern(socket, size, () => finish(close))
        return
      }
    }
    if (!isHead) service.sentBytes.add(size)
    finish(close)
  }

  const finish = (close: boolean): void => {
    replying = false
    if (close) {
      socket.end()
      return
    }
    if (socket.isPaused()) socket.resume()
    if (buffer.length > 0 || clientEnded) proceed()
  }

  const refuse = (error: unknown): void => {
    if (!(error instanceof Http1Error)) throw error
    const body = `${error.message}\n`
    replying = true
    service.countRequest(error.status)
    socket.end(headOf(error.status, Buffer.byteLength(body), 'close') + body)
  }

  socket.on('data', (chunk: Buffer) => {
    service.receivedBytes.add(chunk.length)
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk])
    proceed()
  })
  socket.on('end', () => {
    clientEnded = true
    if (!replying) socket.end()
  })
  service.receivedBytes.add(first.length)
  proceed()
  return {
    drain() {
      if (!replying && !request && buffer.length === 0) socket.end()
    },
  }
}

function startRequest(head: MessageHead): Request {
  const match = /^([A-Z]{1,20}) (\/\S{0,8000}|\*|https?:\/\/\S{1,8000}) HTTP\/1\.([01])$/.exec(head.startLine)
  if (!match) {
    const other = / HTTP\/\d\.\d$/.test(head.startLine) && !/ HTTP\/1\.[01]$/.test(head.startLine)
    throw other ? new Http1Error(505, 'only HTTP/1.0 and HTTP/1.1') : new Http1Error(400, 'bad request line')
  }
  const [, method = '', target = '', minor] = match
  // RFC 9112 §3.2: one host, always.
  if (minor === '1' && head.hosts !== 1)
    throw new Http1Error(400, `${head.hosts} host headers instead of one`)
  const options = head.connection.split(/\s*,\s*/)
  return {
    method,
    target,
    connection:
      options.includes('close') || (minor === '0' && !options.includes('keep-alive'))
        ? 'close'
        : minor === '0'
          ? 'keep, and say so'
          : 'keep',
    body: new BodyReader(head.chunked ? 'chunked' : (head.contentLength ?? 0)),
    parts: [],
  }
}

function readyReply(status: number, size: number): Buffer {
  const second = Math.floor(Date.now() / 1000)
  if (second !== readyForSecond) {
    ready.clear()
    readyForSecond = second
  }
  const key = `${status}:${size}`
  let reply = ready.get(key)
  if (!reply) {
    reply = Buffer.concat([Buffer.from(headOf(status, size, 'keep'), 'latin1'), pattern.subarray(0, size)])
    if (ready.size < 100) ready.set(key, reply)
  }
  return reply
}

function headOf(status: number, size: number, connection: Request['connection']): string {
  const length = status === 204 || status === 304 ? '' : `content-length: ${size}\r\n`
  const type = size > 0 ? 'content-type: application/octet-stream\r\n' : ''
  // RFC 9112 §9.3: a client of HTTP/1.0 takes the connection for closed unless it is told.
  const close = connection === 'close' ? 'connection: close\r\n' : ''
  const keep = connection === 'keep, and say so' ? 'connection: keep-alive\r\n' : ''
  const date = `date: ${new Date().toUTCString()}\r\n`
  return `HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}\r\n${date}${type}${length}${close}${keep}\r\n`
}
