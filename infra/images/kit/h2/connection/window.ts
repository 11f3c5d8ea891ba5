/** Flow control of an HTTP/2 connection as a whole, both ways: RFC 9113 §5.2 and §6.9. */
import { ConnectionError, defaultWindow, errorCode, maxWindow } from '../frames.js'
import type { FrameSender } from '../sender.js'

const receiveBytes = 16 << 20
/** Bytes that slow readers may leave with us. */
const mostHeldBytes = 16 << 20

export class ConnectionWindow {
  /** Bytes that the peer lets us send. */
  send = defaultWindow
  #uncredited = 0
  #heldBytes = 0
  readonly #sender: FrameSender

  constructor(sender: FrameSender) {
    this.#sender = sender
    sender.windowUpdate(0, receiveBytes - defaultWindow)
  }

  /** Bytes of the peer came, on whatever stream. Throws `ConnectionError` for more than it was let send. */
  received(bytes: number): void {
    this.#uncredited += bytes
    if (this.#uncredited > receiveBytes)
      throw new ConnectionError(errorCode.flowControl, 'more DATA than the window of the connection')
    this.#credit()
  }

  /** So many bytes more wait for their readers; less, when negative. */
  hold(bytes: number): void {
    this.#heldBytes += bytes
    if (bytes < 0) this.#credit()
  }

  /** As bytes arrive, so that one slow stream cannot hold up the others, but while many of them fill our memory. */
  #credit(): void {
    if (this.#uncredited < receiveBytes / 2 || this.#heldBytes > mostHeldBytes) return
    this.#sender.windowUpdate(0, this.#uncredited)
    this.#uncredited = 0
  }

  /** The peer lets us send more. Throws `ConnectionError`. */
  raise(increment: number): void {
    if (increment === 0) throw new ConnectionError(errorCode.protocol, 'a window update of 0')
    this.send += increment
    if (this.send > maxWindow) throw new ConnectionError(errorCode.flowControl, 'a window above 2^31-1')
  }
}
