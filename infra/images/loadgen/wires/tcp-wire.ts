/** Framed TCP echo: four bytes of length, the payload, and the same bytes back. */
import type { Spec } from '../spec.js'
import type { Wire, WireEvents } from './wire.js'
import { WireSocket } from './wire-socket.js'

const headerBytes = 4
/** Beyond this the first byte of a frame would not be zero, by which the echo server knows it. */
const maxPayloadBytes = 2 ** 24 - 1

export class TcpWire implements Wire {
  readonly #events: WireEvents
  readonly #connection: WireSocket
  readonly #frame: Buffer
  #isInFlight = false
  #received = 0

  constructor({ target, payloadBytes }: Spec, events: WireEvents) {
    if (payloadBytes > maxPayloadBytes) throw new Error('a TCP frame holds at most 16 MiB - 1')
    this.#events = events
    this.#frame = Buffer.alloc(headerBytes + payloadBytes, 'meshbench-')
    this.#frame.writeUInt32BE(payloadBytes, 0)
    this.#connection = new WireSocket(target, events, (buffer, length) => {
      this.#read(buffer, length)
    })
    for (const event of ['end', 'error', 'close'])
      this.#connection.socket.on(event, (error?: unknown) => {
        this.#connection.lose((error as NodeJS.ErrnoException | undefined)?.code)
      })
  }

  send(): void {
    this.#isInFlight = true
    this.#connection.socket.write(this.#frame)
  }

  destroy(): void {
    this.#connection.close()
  }

  #read(buffer: Buffer, length: number): void {
    const frame = this.#frame
    const received = this.#received
    const echoed = Math.min(length, frame.length - received)
    const headerLeft = Math.max(0, Math.min(echoed, headerBytes - received))
    const isSame = buffer.compare(frame, received, received + headerLeft, 0, headerLeft) === 0
    if (!this.#isInFlight || !isSame || length > echoed) {
      this.#connection.fail('other')
      return
    }
    if (received === 0) this.#events.onFirstByte?.()
    this.#received += length
    if (this.#received < frame.length) return
    this.#received = 0
    this.#isInFlight = false
    this.#events.onReply(undefined, frame.length - headerBytes, true)
  }
}
