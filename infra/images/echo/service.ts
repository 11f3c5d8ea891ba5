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

/** Writes as much of `bytes` of the pattern as `write` takes before it says to wait; returns how many are left. */
export function writePattern(bytes: number, write: (chunk: Uint8Array) => boolean): number {
  let left = bytes
  let goOn = true
  while (left > 0 && goOn) {
    const part = Math.min(left, pattern.length)
    left -= part
    goOn = write(part === pattern.length ? pattern : pattern.subarray(0, part))
  }
  return left
}
