/** A binary heap of things that are due at some instant; equal instants keep their order of arrival. */

interface Entry<T> {
  readonly deadlineUs: number
  readonly order: number
  readonly value: T
}

export class DeadlineQueue<T> {
  readonly #heap: Entry<T>[] = []
  #added = 0

  get size(): number {
    return this.#heap.length
  }

  /** Deadline of what is due first, or `Infinity`. */
  earliest(): number {
    return this.#heap[0]?.deadlineUs ?? Infinity
  }

  add(deadlineUs: number, value: T): void {
    const heap = this.#heap
    const entry = { deadlineUs, order: this.#added++, value }
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Entry<T>
      if (before(above, entry)) break
      heap[at] = above
      at = parent
    }
    heap[at] = entry
  }

  /** Removes and returns what is due first, when it is due at `nowUs`. */
  takeDue(nowUs: number): T | undefined {
    const heap = this.#heap
    const first = heap[0]
    if (!first || first.deadlineUs > nowUs) return undefined
    const last = heap.pop() as Entry<T>
    if (heap.length > 0) this.#sink(last)
    return first.value
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Entry<T>, heap[child] as Entry<T>)) child++
      if (before(entry, heap[child] as Entry<T>)) break
      heap[at] = heap[child] as Entry<T>
      at = child
    }
    heap[at] = entry
  }
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.deadlineUs < b.deadlineUs || (a.deadlineUs === b.deadlineUs && a.order < b.order)
}
