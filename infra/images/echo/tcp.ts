/**
 * TCP echo: bytes go back as they came.
 *
 * A client that wants its messages counted frames them: four bytes of length (big endian, without themselves), then
 * that many bytes. The echo of such a stream is the same stream.
 */
import type { Socket } from 'node:net'
import type { EchoConnection, EchoService } from './service.js'

const headerBytes = 4

/** Serves one connection. `first` is what was already read from it. */
export function serveTcpEcho(socket: Socket, first: Buffer, service: EchoService): EchoConnection {
  /** Bytes of the current message that are still to come, its header not counted. */
  let bodyLeft = 0
  const header = Buffer.alloc(headerBytes)
  let headerLength = 0
  /** A fault holds a message back; what comes after it waits, so that bytes keep their order. */
  let holding = false
  const waiting: Buffer[] = []
  let ended = false

  const send = (chunk: Buffer): void => {
    service.sentBytes.add(chunk.length)
    if (!socket.write(chunk)) socket.pause()
  }

  /** Ends of messages in the chunk. */
  const countMessages = (chunk: Buffer): number => {
    let messages = 0
    let at = 0
    while (at < chunk.length) {
      if (headerLength < headerBytes) {
        header[headerLength++] = chunk[at++] as number
        if (headerLength < headerBytes) continue
        bodyLeft = header.readUInt32BE(0)
      } else {
        const take = Math.min(bodyLeft, chunk.length - at)
        bodyLeft -= take
        at += take
      }
      if (bodyLeft === 0) {
        messages++
        headerLength = 0
      }
    }
    return messages
  }

  const onData = (chunk: Buffer): void => {
    service.receivedBytes.add(chunk.length)
    if (holding) waiting.push(chunk)
    else handle(chunk)
  }

  const handle = (chunk: Buffer): void => {
    const messages = countMessages(chunk)
    if (messages === 0) {
      send(chunk)
      return
    }
    holding = true
    service.faults.apply(0, () => {
      holding = false
      if (socket.destroyed) return
      for (let i = 0; i < messages; i++) service.countRequest(200)
      send(chunk)
      while (!holding) {
        const next = waiting.shift()
        if (!next) break
        handle(next)
      }
      if (ended && !holding) socket.end()
    })
  }

  socket.on('drain', () => socket.resume())
  socket.on('data', onData)
  socket.on('end', () => {
    ended = true
    if (!holding) socket.end()
  })
  if (first.length > 0) onData(first)
  return {
    drain() {
      if (!holding) socket.end()
    },
  }
}
