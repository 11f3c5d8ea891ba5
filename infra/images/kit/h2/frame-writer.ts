/** Gathers HTTP/2 frames in recycled memory and gives each turn of the event loop one write. */
import type { TLSSocket } from 'node:tls'
import { frameHeaderBytes } from './frames.js'

/** Four full DATA frames, each of which fills one TLS record. */
const slabBytes = 65_536
/**
 * Slabs kept for reuse (8 MiB at most): fresh memory for each write is what makes the garbage collector run. It has to
 * cover the connections that write in one turn of the event loop, which without multiplexing are many.
 */
const maxSpare = 128

interface Slab {
  readonly bytes: Buffer
  /** Writes of parts of it that are not finished. */
  writing: number
  /** The writer that fills it; undefined once that has gone on to another. */
  owner: FrameWriter | undefined
  readonly done: () => void
}

/** Shared by all connections of the process. */
const spare: Slab[] = []

function takeSlab(owner: FrameWriter): Slab {
  const recycled = spare.pop()
  if (recycled) {
    recycled.owner = owner
    return recycled
  }
  const slab: Slab = {
    bytes: Buffer.allocUnsafeSlow(slabBytes),
    writing: 0,
    owner,
    done: () => {
      slab.writing -= 1
      if (slab.writing > 0) return
      if (slab.owner) slab.owner.release()
      else recycle(slab)
    },
  }
  return slab
}

function recycle(slab: Slab): void {
  slab.owner = undefined
  if (spare.length < maxSpare) spare.push(slab)
}

export class FrameWriter {
  readonly #socket: TLSSocket
  readonly #onFlush: () => void
  #slab: Slab | undefined
  #start = 0
  #end = 0
  /** Parts that are full and wait for the flush. */
  #full: { readonly slab: Slab; readonly part: Buffer }[] = []
  #scheduled = false

  /** `onFlush` is called after each write. */
  constructor(socket: TLSSocket, onFlush: () => void) {
    this.#socket = socket
    this.#onFlush = onFlush
  }

  /** Writes bytes that are no frame: the preface. */
  raw(bytes: Uint8Array): void {
    const slab = this.#reserve(bytes.length)
    slab.set(bytes, this.#end)
    this.#end += bytes.length
    this.#schedule()
  }

  /** Writes a frame whose payload is `payload[from, to)`, which is copied. */
  frame(
    type: number,
    flags: number,
    streamId: number,
    payload: Uint8Array,
    from = 0,
    to = payload.length,
  ): void {
    const length = to - from
    const slab = this.#reserve(frameHeaderBytes + length)
    let at = this.#end
    slab[at++] = length >>> 16
    slab[at++] = length >>> 8
    slab[at++] = length
    slab[at++] = type
    slab[at++] = flags
    slab[at++] = streamId >>> 24
    slab[at++] = streamId >>> 16
    slab[at++] = streamId >>> 8
    slab[at++] = streamId
    if (length > 0) slab.set(length === payload.length ? payload : payload.subarray(from, to), at)
    this.#end = at + length
    this.#schedule()
  }

  /** Gives the slab back when nothing of it is staged, so that idle connections hold no memory. */
  release(): void {
    const slab = this.#slab
    if (!slab || this.#start !== this.#end || slab.writing > 0) return
    this.#slab = undefined
    recycle(slab)
  }

  readonly flush = (): void => {
    this.#scheduled = false
    const socket = this.#socket
    const slab = this.#slab
    if (!slab || socket.destroyed || socket.writableEnded) return
    if (this.#full.length > 0) {
      socket.cork()
      for (const { slab: owner, part } of this.#full) socket.write(part, owner.done)
      this.#full = []
      this.#writeTail(slab)
      socket.uncork()
    } else {
      this.#writeTail(slab)
    }
    this.#onFlush()
  }

  #writeTail(slab: Slab): void {
    if (this.#end === this.#start) return
    slab.writing += 1
    this.#socket.write(slab.bytes.subarray(this.#start, this.#end), slab.done)
    this.#start = this.#end
  }

  #reserve(bytes: number): Buffer {
    let slab = this.#slab
    if (!slab || this.#end + bytes > slabBytes) {
      if (slab) this.#leave(slab)
      slab = this.#slab = takeSlab(this)
      this.#start = this.#end = 0
    }
    return slab.bytes
  }

  #leave(slab: Slab): void {
    if (this.#end > this.#start) {
      slab.writing += 1
      this.#full.push({ slab, part: slab.bytes.subarray(this.#start, this.#end) })
    }
    slab.owner = undefined
    if (slab.writing === 0) recycle(slab)
  }

  /** Immediates run when every socket that is ready has been read. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.flush)
  }
}
