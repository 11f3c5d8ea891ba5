/** Who waits for a connection may leave: what was opened for them alone is given up, what others wait for is not. */
import type { ByteStream } from './byte-stream.js'
import type { OnBytes } from './reads.js'

/** Somebody who waits for a connection, at one step of its way at a time. */
export class Waiter {
  /** What the step that is under way does when the waiter leaves. */
  onLeave: (() => void) | undefined
  #isGone = false

  get isGone(): boolean {
    return this.#isGone
  }

  /** Nothing happens any more when there is nothing to wait for. */
  leave(): void {
    if (this.#isGone) return
    this.#isGone = true
    const { onLeave } = this
    this.onLeave = undefined
    onLeave?.()
  }
}

/**
 * Opens a stream to a peer, whose bytes are handed over as they come: their memory may be used again when `onBytes` returns.
 * Given up, and rejected, when the waiter leaves.
 */
export type Dial = (onBytes: OnBytes, waiter: Waiter) => Promise<ByteStream>
