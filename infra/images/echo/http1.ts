/** HTTP/1.1 on a bare socket: `node:http` costs twice as much per request, and the application must not be the bulk of what is measured. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { BodyReader, endLimits } from '../kit/http1/body.js'
import { endOfHead, parseRequestHead, startOfHead } from '../kit/http1/head.js'
import { HeadError, type Http1Head } from '../kit/http1/http1-head.js'
import { type EchoRequest, parseTarget } from './request.js'
import { type EchoConnection, type EchoService, maxEchoedBytes, pattern, writePattern } from './service.js'

/** Node has the older name of 413 (RFC 9110 §15.5.14). */
const reasons: Readonly<Record<number, string | undefined>> = { ...STATUS_CODES, 413: 'Content Too Large' }

/** Replies of the running second by status and size: the `date` header changes with it. */
const ready = new Map<string, Buffer>()
let readyForSecond = 0

/** What a listener that is no echo answers to a request. */
export type Decide = (head: Http1Head) => FixedReply

/** A whole reply whose body is always the same. */
export interface FixedReply {
  readonly status: number
  readonly body: string
  readonly type?: string
}

interface Request {
  readonly method: string
  readonly target: string
  readonly connection: 'keep' | 'keep, and say so' | 'close'
  readonly body: BodyReader
  /** The body's parts, when they are sent back. */
  readonly parts: Buffer[]
  /** Absent: what the target asks for. */
  readonly decided: FixedReply | undefined
}

export class Http1Connection implements EchoConnection {
  readonly #socket: Socket
  readonly #service: EchoService
  readonly #decide: Decide | undefined
  #buffer: Buffer
  #request: Request | undefined
  /** A reply is on its way: what the client pipelines meanwhile waits. */
  #isReplying = false
  #hasClientEnded = false

  /** `first` is what was already read; without `decide` it echoes. */
  constructor(socket: Socket, first: Buffer, service: EchoService, decide?: Decide) {
    this.#socket = socket
    this.#service = service
    this.#decide = decide
    this.#buffer = first
    socket.on('data', (chunk: Buffer) => {
      service.receivedBytes.add(chunk.length)
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
      this.#proceed()
    })
    socket.on('end', () => {
      this.#hasClientEnded = true
      if (!this.#isReplying) socket.end()
    })
    service.receivedBytes.add(first.length)
    this.#proceed()
  }

  drain(): void {
    if (!this.#isReplying && !this.#request && this.#buffer.length === 0) this.#socket.end()
  }

  #proceed(): void {
    try {
      while (!this.#isReplying && !this.#socket.destroyed && this.#buffer.length > 0) {
        const request = this.#readRequest()
        if (!request) break
        this.#answer(request)
      }
    } catch (error) {
      this.#refuse(error)
      return
    }
    if (this.#isReplying && this.#buffer.length > 64 * 1024) this.#socket.pause()
    if (this.#hasClientEnded && !this.#isReplying) this.#socket.end()
  }

  /** Undefined: it has not come whole. */
  #readRequest(): Request | undefined {
    if (!this.#request) {
      const start = startOfHead(this.#buffer, 0)
      if (start > 0) this.#buffer = this.#buffer.subarray(start)
      const end = endOfHead(this.#buffer, 0, this.#buffer.length, endLimits)
      if (end < 0) return undefined
      const head = parseRequestHead(this.#buffer.toString('latin1', 0, end), endLimits)
      this.#buffer = this.#buffer.subarray(end)
      this.#request = startRequest(head, this.#decide?.(head))
      if (head.expectContinue) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    }
    const request = this.#request
    const { body, parts } = request
    if (!body.done) {
      const used = body.feed(this.#buffer, 0, this.#buffer.length, (part) => {
        if (body.bytes + part.length > maxEchoedBytes) throw new HeadError(413, 'the body is over 16 MiB')
        parts.push(part)
      })
      this.#buffer = this.#buffer.subarray(used)
    }
    if (!body.done) return undefined
    this.#request = undefined
    return request
  }

  #answer(request: Request): void {
    const { decided } = request
    if (decided) {
      this.#isReplying = true
      this.#service.faults.apply(0, () => {
        if (!this.#socket.destroyed) this.#sendDecided(request, decided)
      })
      return
    }
    const asked = parseTarget(request.target)
    this.#isReplying = true
    this.#service.faults.apply(asked.delayUs, () => {
      if (this.#socket.destroyed) return
      this.#service.countRequest(asked.status)
      this.#send(request, asked)
    })
  }

  #send({ connection: wanted, method, body, parts }: Request, { status, sizeBytes }: EchoRequest): void {
    const socket = this.#socket
    const { sentBytes } = this.#service
    const connection = this.#service.isDraining() ? 'close' : wanted
    const isLast = connection === 'close'
    const isHead = method === 'HEAD'
    const size = status === 204 || status === 304 ? 0 : (sizeBytes ?? body.bytes)
    if (!isHead && sizeBytes !== undefined && size <= pattern.length && connection === 'keep') {
      socket.write(readyReply(status, size))
    } else {
      socket.write(headOf(status, size, connection), 'latin1')
      if (!isHead && sizeBytes === undefined && size > 0) for (const part of parts) socket.write(part)
      else if (!isHead && size > 0) {
        sentBytes.add(size)
        this.#sendPattern(size, isLast)
        return
      }
    }
    if (!isHead) sentBytes.add(size)
    this.#finish(isLast)
  }

  #sendPattern(bytes: number, isLast: boolean): void {
    const socket = this.#socket
    if (socket.destroyed) return
    const left = writePattern(bytes, (chunk) => socket.write(chunk))
    if (left > 0) socket.once('drain', () => this.#sendPattern(left, isLast))
    else this.#finish(isLast)
  }

  #sendDecided({ connection: wanted, method }: Request, { status, body, type }: FixedReply): void {
    const connection = this.#service.isDraining() ? 'close' : wanted
    const size = Buffer.byteLength(body)
    this.#service.countRequest(status)
    this.#service.sentBytes.add(size)
    this.#socket.write(headOf(status, size, connection, type) + (method === 'HEAD' ? '' : body))
    this.#finish(connection === 'close')
  }

  #finish(isLast: boolean): void {
    this.#isReplying = false
    if (isLast) {
      this.#socket.end()
      return
    }
    if (this.#socket.isPaused()) this.#socket.resume()
    if (this.#buffer.length > 0 || this.#hasClientEnded) this.#proceed()
  }

  #refuse(error: unknown): void {
    if (!(error instanceof HeadError)) throw error
    const body = `${error.message}\n`
    this.#isReplying = true
    this.#service.countRequest(error.status)
    this.#socket.end(headOf(error.status, Buffer.byteLength(body), 'close') + body)
  }
}

function startRequest(head: Http1Head, decided: FixedReply | undefined): Request {
  const { method, target, minor, chunked, contentLength } = head
  if (method === 'CONNECT') throw new HeadError(400, 'CONNECT to an application')
  const isLast = head.close || (minor === 0 && !head.keepAlive)
  return {
    method,
    target,
    connection: isLast ? 'close' : minor === 0 ? 'keep, and say so' : 'keep',
    body: new BodyReader(chunked ? 'chunked' : Math.max(0, contentLength)),
    parts: [],
    decided,
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

function headOf(
  status: number,
  size: number,
  connection: Request['connection'],
  contentType = 'application/octet-stream',
): string {
  const length = status === 204 || status === 304 ? '' : `content-length: ${size}\r\n`
  const type = size > 0 ? `content-type: ${contentType}\r\n` : ''
  // RFC 9112 §9.3: a client of HTTP/1.0 takes the connection for closed unless it is told.
  const close = connection === 'close' ? 'connection: close\r\n' : ''
  const keep = connection === 'keep, and say so' ? 'connection: keep-alive\r\n' : ''
  const date = `date: ${new Date().toUTCString()}\r\n`
  return `HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}\r\n${date}${type}${length}${close}${keep}\r\n`
}
