/** Gathers HTTP/2 frames in recycled memory and gives each turn of the event loop one write. */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ByteStream } from '../net/byte-stream.js'
import { flag, frameHeaderBytes, frameType } from './frames.js'

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

const noBytes = Buffer.alloc(0)

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

export abstract class FrameWriter {
  readonly #stream: ByteStream
  /** A stream that is none of Node's copies what it is given. */
  readonly #socket: Socket | undefined
  #slab: Slab | undefined
  #start = 0
  #end = 0
  /** Parts that are full and wait for the flush. */
  #full: { readonly slab: Slab; readonly part: Buffer }[] = []
  #scheduled = false
  /**
   * Parts that TLS takes one at a time: it encrypts one as it lies, but copies several of a `writev` into fresh memory
   * before. Undefined where they leave together.
   */
  readonly #queue: { readonly slab: Slab; readonly part: Buffer }[] | undefined
  #queuedBytes = 0
  #isWriting = false
  /** Where the last staged frame begins, and its stream: END_STREAM may still be put on it. */
  #lastFrame = 0
  #lastStream = -1

  constructor(stream: ByteStream) {
    this.#stream = stream
    this.#socket = stream instanceof Socket ? stream : undefined
    if (stream instanceof TLSSocket) this.#queue = []
  }

  /** Called after each write. */
  protected abstract onFlush(): void
  /** The socket has taken one of the parts that wait for it. */
  protected abstract onTaken(): void

  /** Bytes that wait in this process. */
  get waitingBytes(): number {
    return this.#stream.writableLength + this.#queuedBytes
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
    this.#lastFrame = at
    this.#lastStream = streamId
    slab[at++] = length >>> 16
    slab[at++] = length >>> 8
    slab[at++] = length
    slab[at++] = type
    slab[at++] = flags
    slab[at++] = streamId >>> 24
    slab[at++] = streamId >>> 16
    slab[at++] = streamId >>> 8
    slab[at++] = streamId
    // A call into the runtime costs more than a few bytes.
    if (length <= 48) for (let i = from; i < to; i += 1) slab[at++] = payload[i] as number
    else {
      slab.set(length === payload.length ? payload : payload.subarray(from, to), at)
      at += length
    }
    this.#end = at
    this.#schedule()
  }

  /** Ends a stream with the frame that was staged last when that is one of its own; else with an empty one. */
  endStream(streamId: number): void {
    const at = this.#lastFrame
    if (this.#lastStream === streamId && this.#slab) {
      const { bytes } = this.#slab
      const type = bytes[at + 3]
      const flags = bytes[at + 4] as number
      if (type === frameType.data || (type === frameType.headers && flags & flag.endHeaders)) {
        bytes[at + 4] = flags | flag.endStream
        return
      }
    }
    this.frame(frameType.data, flag.endStream, streamId, noBytes)
  }

  /** Gives the slab back when nothing of it is staged, so that idle connections hold no memory. */
  release(): void {
    const slab = this.#slab
    if (!slab || this.#start !== this.#end || slab.writing > 0) return
    this.#slab = undefined
    recycle(slab)
  }

  /** Gives all to the socket at once: nothing follows. */
  finish(): void {
    this.flush()
    const queue = this.#queue
    if (queue === undefined || this.#stream.destroyed) return
    this.#isWriting = true
    for (const { slab, part } of queue.splice(0)) this.#socket?.write(part, slab.done)
  }

  readonly flush = (): void => {
    this.#scheduled = false
    this.#lastStream = -1
    const socket = this.#socket
    const slab = this.#slab
    if (!slab || this.#stream.destroyed || socket?.writableEnded) return
    if (this.#full.length > 0) {
      if (!this.#queue) socket?.cork()
      for (const { slab: owner, part } of this.#full) this.#put(part, owner)
      this.#full = []
      this.#writeTail(slab)
      if (!this.#queue) socket?.uncork()
    } else {
      this.#writeTail(slab)
    }
    this.onFlush()
  }

  #writeTail(slab: Slab): void {
    if (this.#end === this.#start) return
    slab.writing += 1
    const part = slab.bytes.subarray(this.#start, this.#end)
    this.#start = this.#end
    this.#put(part, slab)
  }

  #put(part: Buffer, slab: Slab): void {
    if (this.#queue && this.#socket) {
      if (this.#isWriting) {
        this.#queue.push({ slab, part })
        this.#queuedBytes += part.length
      } else {
        this.#writeNext(this.#socket, part, slab)
      }
    } else if (this.#socket) {
      this.#socket.write(part, slab.done)
    } else {
      this.#stream.write(part)
      slab.done()
    }
  }

  #writeNext(socket: Socket, part: Buffer, slab: Slab): void {
    this.#isWriting = true
    socket.write(part, () => {
      slab.done()
      this.#isWriting = false
      const next = socket.destroyed || socket.writableEnded ? undefined : this.#queue?.shift()
      if (next) {
        this.#queuedBytes -= next.part.length
        this.#writeNext(socket, next.part, next.slab)
      }
      this.onTaken()
    })
  }

  #reserve(bytes: number): Buffer {
    let slab = this.#slab
    if (!slab || this.#end + bytes > slabBytes) {
      if (slab) this.#leave(slab)
      this.#lastStream = -1
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
