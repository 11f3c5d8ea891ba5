/** Gathers the pieces of a large transfer in recycled memory, so that a turn of the event loop costs one system call. */
import type { Socket } from 'node:net'

/** Four TLS records. */
const slabBytes = 65_536
/** 4 MiB at most are kept for reuse: fresh memory for each write is what makes the garbage collector run. */
const maxSpare = 64
const spare: Buffer[] = []

export class Gatherer {
  readonly #socket: Socket
  #slab: Buffer | undefined
  #used = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get isEmpty(): boolean {
    return this.#used === 0
  }

  /** Copies a piece, to be written when it is full or the turn is over. False: `drain` follows. */
  add(piece: Buffer): boolean {
    for (let at = 0; at < piece.length;) {
      if (this.#slab === undefined) {
        this.#slab = spare.pop() ?? Buffer.allocUnsafeSlow(slabBytes)
        setImmediate(this.flush)
      }
      const copied = piece.copy(this.#slab, this.#used, at)
      at += copied
      this.#used += copied
      if (this.#used === slabBytes) this.flush()
    }
    return !this.#socket.writableNeedDrain
  }

  readonly flush = (): void => {
    const slab = this.#slab
    if (slab === undefined) return
    const part = slab.subarray(0, this.#used)
    this.#slab = undefined
    this.#used = 0
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    this.#socket.write(part, () => {
      if (spare.length < maxSpare) spare.push(slab)
    })
  }
}
