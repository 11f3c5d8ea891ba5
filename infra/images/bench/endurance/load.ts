/** The two ends of an endurance run: a server that echoes bodies, and a client that compares every byte it gets back. */
import { type Socket, connect } from 'node:net'
import type { ListenerAddress } from '../../kit/net/address.js'
import { endLimits } from '../../kit/http1/body.js'
import { endOfHead, parseRequestHead, parseResponseHead } from '../../kit/http1/head.js'
import { listenTcp } from '../../kit/testing.js'

/** What the ends themselves saw. Bytes are those of the sockets, heads included. */
export interface Totals {
  connections: number
  requests: number
  /** Connections that ended with a reset of the client's, all answers read. */
  resets: number
  sentBytes: number
  receivedBytes: number
  errors: string[]
}

export const bodyBytes = 1024
/** A body per pattern: which one comes tells whose answer it is. */
const bodies = Array.from({ length: 251 }, (_, i) => Buffer.alloc(bodyBytes, i))
export const bodyOf = (pattern: number): Buffer => bodies[pattern % bodies.length] as Buffer
const head = (startLine: string): string =>
  `${startLine}\r\nhost: bench\r\ncontent-length: ${bodyBytes}\r\n\r\n`

/** Calls back with each whole message's start line and body. Throws `HeadError`. */
function readMessages(
  parse: typeof parseRequestHead,
  onMessage: (startLine: string, body: Buffer) => void,
): (chunk: Buffer) => void {
  let pending = Buffer.alloc(0)
  return (chunk) => {
    let bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    for (;;) {
      const end = endOfHead(bytes, 0, bytes.length, endLimits)
      if (end < 0) break
      const { raw, lineEnd, contentLength } = parse(bytes.toString('latin1', 0, end), endLimits)
      const stop = end + Math.max(0, contentLength)
      if (bytes.length < stop) break
      onMessage(raw.slice(0, lineEnd), bytes.subarray(end, stop))
      bytes = bytes.subarray(stop)
    }
    pending = Buffer.from(bytes)
  }
}

/** `bytes` counts what its sockets carried. */
export interface EchoServer extends ListenerAddress {
  readonly bytes: { received: number; sent: number }
  close(): void
}

/** Echoes the body of each request. */
export async function startEchoServer(): Promise<EchoServer> {
  const bytes = { received: 0, sent: 0 }
  const server = await listenTcp((socket) => {
    const read = readMessages(parseRequestHead, (_startLine, body) => {
      const answer = Buffer.concat([Buffer.from(head('HTTP/1.1 200 OK')), body])
      bytes.sent += answer.length
      socket.write(answer)
    })
    socket.on('data', (chunk: Buffer) => {
      bytes.received += chunk.length
      read(chunk)
    })
    socket.on('end', () => socket.end())
  })
  return { ...server, bytes }
}

/** One connection with so many requests, one after the other. Rejects with what was wrong. */
export async function runConnection(
  entry: ListenerAddress,
  index: number,
  requests: number,
  totals: Totals,
): Promise<void> {
  const socket: Socket = connect({ ...entry, allowHalfOpen: true, noDelay: true })
  const endsWithReset = index % 50 === 0
  await new Promise<void>((resolve, reject) => {
    let sent = 0
    const fail = (message: string): void => {
      socket.destroy()
      reject(new Error(`connection ${index}, request ${sent}: ${message}`))
    }
    const send = (): void => {
      const body = bodyOf(index + sent)
      sent += 1
      const request = Buffer.concat([Buffer.from(head(`POST /${index}/${sent} HTTP/1.1`)), body])
      totals.sentBytes += request.length
      socket.write(request)
    }
    const read = readMessages(parseResponseHead, (startLine, body) => {
      if (!startLine.startsWith('HTTP/1.1 200')) fail(`answered ${startLine}`)
      else if (!body.equals(bodyOf(index + sent - 1))) fail('a wrong body')
      else {
        totals.requests += 1
        if (sent < requests) send()
        else if (endsWithReset) {
          totals.resets += 1
          socket.resetAndDestroy()
          resolve()
        } else socket.end()
      }
    })
    socket.on('connect', send)
    socket.on('error', (error) => {
      fail(error.message)
    })
    socket.on('data', (chunk: Buffer) => {
      totals.receivedBytes += chunk.length
      try {
        read(chunk)
      } catch (error) {
        fail(String(error))
      }
    })
    let ended = false
    socket.on('end', () => {
      ended = true
      if (sent < requests) fail('the stream ended early')
    })
    socket.on('close', () => {
      if (ended) resolve()
      else fail('cut')
    })
  })
  totals.connections += 1
}
