/** Framed TCP echo: four bytes of length, the payload, and the same bytes back. */
import { connect } from 'node:net'
import type { Wire, WireFactory } from './wire.js'

const headerBytes = 4
/** Beyond this the first byte of a frame would not be zero, by which the echo server knows it. */
const maxPayloadBytes = 2 ** 24 - 1

const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)

export const tcpWire: WireFactory = (spec, events): Wire => {
  if (spec.payloadBytes > maxPayloadBytes) throw new Error('a TCP frame holds at most 16 MiB - 1')
  const frame = Buffer.alloc(headerBytes + spec.payloadBytes, 'meshbench-')
  frame.writeUInt32BE(spec.payloadBytes, 0)
  let open = false
  let closed = false
  let inFlight = false
  let received = 0

  const fail = (kind: 'connect' | 'reset' | 'other', code?: string): void => {
    if (closed) return
    closed = true
    socket.destroy()
    events.onClose(kind, code)
  }

  const onBytes = (buffer: Buffer, length: number): void => {
    if (closed) return
    const echoed = Math.min(length, frame.length - received)
    const headerLeft = Math.max(0, Math.min(echoed, headerBytes - received))
    const same = buffer.compare(frame, received, received + headerLeft, 0, headerLeft) === 0
    if (!inFlight || !same || length > echoed) {
      fail('other')
      return
    }
    if (received === 0) events.onFirstByte?.()
    received += length
    if (received < frame.length) return
    received = 0
    inFlight = false
    events.onReply(undefined, spec.payloadBytes, true)
  }

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
  socket.on('connect', () => {
    open = true
    events.onOpen()
  })
  for (const event of ['end', 'error', 'close']) {
    socket.on(event, (error?: unknown) => {
      fail(open ? 'reset' : 'connect', (error as NodeJS.ErrnoException | undefined)?.code)
    })
  }
  return {
    send() {
      inFlight = true
      socket.write(frame)
    },
    destroy() {
      closed = true
      socket.destroy()
    },
  }
}
