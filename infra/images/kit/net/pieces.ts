/** Pieces of a byte stream that have to wait, in few blocks, whatever the size in which they come. */
import { lend } from './reads.js'

/** Pieces share blocks: those of a byte would otherwise cost a buffer each. With the header of an HTTP/2 frame one fills a TLS record. */
const blockBytes = 16 * 1024 - 9
/** Blocks that were used up, 4 MiB at most: fresh memory for each is what makes the garbage collector run. */
const maxSpare = 256
const spare: Buffer[] = []

/** The piece is `bytes[from, to)`; what follows is free. */
interface Block {
  readonly bytes: Buffer
  from: number
  to: number
}

/** In the order in which they came. */
export class Pieces {
  /** Bytes. */
  length = 0
  #blocks: Block[] = []

  get isEmpty(): boolean {
    return this.#blocks.length === 0
  }

  /** Copies a piece. */
  keep(piece: Uint8Array): void {
    let at = 0
    let block = this.#blocks[this.#blocks.length - 1]
    // Often there is but one, of a few bytes.
    if (block === undefined && piece.length <= blockBytes / 2) {
      this.#blocks.push({ bytes: Buffer.from(piece), from: 0, to: piece.length })
      at = piece.length
    }
    while (at < piece.length) {
      if (block === undefined || block.to === block.bytes.length) {
        block = { bytes: spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes), from: 0, to: 0 }
        this.#blocks.push(block)
      }
      const next = Math.min(piece.length, at + block.bytes.length - block.to)
      block.bytes.set(at === 0 && next === piece.length ? piece : piece.subarray(at, next), block.to)
      block.to += next - at
      at = next
    }
    this.length += piece.length
  }

  /**
   * Hands out the first of what waits; `use` returns how many of its bytes are done with. Their memory is used again
   * after that, unless `keepRead` is called.
   */
  consume(use: (bytes: Buffer) => number): void {
    // Whoever is handed bytes may ask for the next before it is done.
    const block = this.#blocks.shift()
    if (block === undefined) return
    const isKept = lend(() => {
      const used = use(block.bytes.subarray(block.from, block.to))
      block.from += used
      this.length -= used
    })
    if (block.from < block.to) this.#blocks.unshift(block)
    else if (!isKept && block.bytes.length === blockBytes && spare.length < maxSpare) spare.push(block.bytes)
  }

  /** All of them in one, whose memory stays as it is. */
  join(): Buffer {
    const [first] = this.#blocks
    if (first === undefined) return Buffer.alloc(0)
    if (this.#blocks.length > 1) {
      const bytes = Buffer.concat(this.#blocks.map((block) => block.bytes.subarray(block.from, block.to)))
      this.#blocks = [{ bytes, from: 0, to: bytes.length }]
      return bytes
    }
    return first.bytes.subarray(first.from, first.to)
  }
}
