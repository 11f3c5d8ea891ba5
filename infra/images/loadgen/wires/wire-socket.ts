/** The socket of a wire: it tells once that it is open, and once that it is gone. */
import { connect, type Socket } from 'node:net'
import type { ErrorKind } from '../../../../harness/protocol/result.js'
import type { Target } from '../spec.js'
import type { WireEvents } from './wire.js'

/** All sockets of a thread read into it: who keeps bytes copies them before the next socket is read. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)

export class WireSocket {
  readonly socket: Socket
  readonly #events: WireEvents
  #isOpen = false
  #isClosed = false

  constructor({ host, port }: Target, events: WireEvents, onBytes: (buffer: Buffer, length: number) => void) {
    this.#events = events
    this.socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length, buffer) => {
          if (!this.#isClosed) onBytes(buffer as Buffer, length)
          return true
        },
      },
    })
    this.socket.on('connect', () => {
      this.#isOpen = true
      events.onOpen()
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Closes without an event. */
  close(): void {
    this.#isClosed = true
    this.socket.destroy()
  }

  /** Closes, and tells why unless nobody listens any more. */
  fail(kind: ErrorKind, code?: string): void {
    if (this.#isClosed) return
    this.close()
    this.#events.onClose(kind, code)
  }

  /** The peer or the system has ended it. */
  lose(code?: string): void {
    this.fail(this.#isOpen ? 'reset' : 'connect', code)
  }
}
