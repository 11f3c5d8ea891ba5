/** Who waits for a connection may leave: what was opened for them alone is given up, what others wait for is not. */

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
