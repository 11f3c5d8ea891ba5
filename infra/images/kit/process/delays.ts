/** Runs what is due at some instant, when it is and not before; equal instants keep their order of arrival. */
import { PreciseTimer, nowUs } from './precise-timer.js'

interface Entry {
  readonly dueUs: number
  readonly run: () => void
}

export class Delays {
  /** By the time that they are due. */
  readonly #entries: Entry[] = []
  readonly #timer = new PreciseTimer(() => {
    this.#fire()
  })
  #isClosing = false

  /** `dueUs` is of the monotonic clock (`nowUs`). */
  at(dueUs: number, run: () => void): void {
    const entries = this.#entries
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((entries[middle] as Entry).dueUs <= dueUs) low = middle + 1
      else high = middle
    }
    entries.splice(low, 0, { dueUs, run })
    const earliestUs = (entries[0] as Entry).dueUs
    // The timer's thread may be late, above all at its start: then whoever comes next sets it off.
    if (low === 0 || earliestUs <= nowUs()) this.#timer.set(earliestUs)
  }

  /** After the last that waits. */
  close(): void {
    this.#isClosing = true
    if (this.#entries.length === 0) this.#timer.close()
  }

  #fire(): void {
    const entries = this.#entries
    while (entries[0] !== undefined && entries[0].dueUs <= nowUs()) entries.shift()?.run()
    if (entries[0] !== undefined) this.#timer.set(entries[0].dueUs)
    else if (this.#isClosing) this.#timer.close()
  }
}
