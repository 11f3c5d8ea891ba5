/** Pieces of a byte stream that have to wait, in few blocks, whatever the size in which they come. */

/** Pieces share blocks of this size: a peer's pieces of a byte would otherwise cost a buffer each. */
const blockBytes = 16 * 1024

/** In the order in which they came. */
export class Pieces {
  /** Bytes. */
  length = 0
  #pieces: Buffer[] = []
  /** The block that the last piece lies in, and how much of it is used; undefined when that piece is its own. */
  #block: { readonly bytes: Buffer; used: number } | undefined

  get isEmpty(): boolean {
    return this.#pieces.length === 0
  }

  /** Copies a piece. */
  keep(piece: Uint8Array): void {
    this.length += piece.length
    const last = this.#pieces.length - 1
    const block = last < 0 ? undefined : this.#block
    if (block && piece.length <= block.bytes.length - block.used) {
      block.bytes.set(piece, block.used)
      block.used += piece.length
      this.#pieces[last] = block.bytes.subarray(0, block.used)
    } else if (last < 0 || piece.length > blockBytes / 2) {
      // Often there is but one.
      this.#pieces.push(Buffer.from(piece))
      this.#block = undefined
    } else {
      const bytes = Buffer.allocUnsafeSlow(blockBytes)
      bytes.set(piece)
      this.#block = { bytes, used: piece.length }
      this.#pieces.push(bytes.subarray(0, piece.length))
    }
  }

  /** Takes out the first piece. */
  take(): Buffer | undefined {
    const piece = this.#pieces.shift()
    this.length -= piece?.length ?? 0
    return piece
  }

  /** Puts what is left of the first piece back. */
  putBack(rest: Buffer): void {
    // It may lie in the block that the next piece would be joined to.
    if (this.#pieces.length === 0) this.#block = undefined
    this.length += rest.length
    this.#pieces.unshift(rest)
  }

  /** All of them in one. */
  join(): Buffer {
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)]
    this.#block = undefined
    return this.#pieces[0] as Buffer
  }
}
