/** What every protocol of the echo server shares: counters, faults, the bytes of replies. */
import type { Cell } from '../kit/process/metrics.js'
import type { Faults } from './faults.js'

export interface EchoService {
  readonly faults: Faults
  countRequest(status: number): void
  readonly receivedBytes: Cell
  readonly sentBytes: Cell
  isDraining(): boolean
}

/** A client's connection, for draining. */
export interface EchoConnection {
  /** Ends it when nothing is in flight. */
  drain(): void
}

/** Longest request body that is kept to be sent back. */
export const maxEchoedBytes = 16 * 1024 * 1024

/** Replies are cut from this. */
export const pattern = Buffer.alloc(256 * 1024, 'meshbench-')

interface Writer {
  write(chunk: Uint8Array): boolean
  once(event: 'drain', listener: () => void): unknown
  readonly destroyed: boolean
}

/** Writes `bytes` of the pattern with back-pressure, then calls `done`. A closed writer ends it silently. */
export function writePattern(writer: Writer, bytes: number, done: () => void): void {
  let left = bytes
  const more = (): void => {
    while (left > 0 && !writer.destroyed) {
      const part = Math.min(left, pattern.length)
      left -= part
      if (!writer.write(part === pattern.length ? pattern : pattern.subarray(0, part)) && left > 0) {
        writer.once('drain', more)
        return
      }
    }
    if (!writer.destroyed) done()
  }
  more()
}
