/** What there is of a request's body while it waits for an upstream, or for another try. */

export class HeldBody {
  /** Bytes. */
  length = 0
  #parts: Buffer[] = []

  /** Copies, as the memory may be used again by whoever read it. */
  add(bytes: Buffer): void {
    this.length += bytes.length
    this.#parts.push(Buffer.from(bytes))
  }

  get bytes(): Buffer {
    if (this.#parts.length !== 1) this.#parts = [Buffer.concat(this.#parts)]
    return this.#parts[0] as Buffer
  }
}
