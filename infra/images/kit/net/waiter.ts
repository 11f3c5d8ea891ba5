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

/** A dial that several wait for. It is given up when the last of them has left. */
export class SharedDial<T> {
  readonly #opened: Promise<T>
  readonly #dial: Waiter
  #waiting = 0

  /** `dial` is the waiter of the dial itself. */
  constructor(opened: Promise<T>, dial: Waiter) {
    this.#opened = opened
    this.#dial = dial
  }

  /** Nobody waits for it any more, and nobody may. */
  get isGivenUp(): boolean {
    return this.#dial.isGone
  }

  /** Ends as the dial does, or with undefined as soon as the waiter leaves. */
  async wait(waiter: Waiter): Promise<T | undefined> {
    this.#waiting += 1
    const left = new Promise<undefined>((resolve) => {
      waiter.onLeave = () => {
        resolve(undefined)
        this.#waiting -= 1
        if (this.#waiting === 0) this.#dial.leave()
      }
    })
    try {
      return await Promise.race([this.#opened, left])
    } finally {
      waiter.onLeave = undefined
    }
  }
}
