/** A connection as those who send on it see it, and how long it may take for what it does. */
import { nowUs } from '../kit/process/precise-timer.js'
import type { Wire } from './wires/wire.js'

export interface Slot {
  wire: Wire | undefined
  state: 'connecting' | 'idle' | 'busy' | 'down'
  /** When the connection was asked for or the request was sent, in µs of the monotonic clock. */
  sinceUs: number
}

/** A connection that could not be opened is tried again after so long. */
export const reconnectDelayMs = 100

/** Watches from now on that no dial and no request takes longer than `timeoutMs`: its wire is gone when `onOverdue` is called. */
export function watchOverdue<S extends Slot>(
  slots: readonly S[],
  timeoutMs: number,
  onOverdue: (slot: S, index: number) => void,
): void {
  setInterval(
    () => {
      const limitUs = nowUs() - timeoutMs * 1000
      for (const [index, slot] of slots.entries()) {
        const isWaiting = slot.state === 'busy' || slot.state === 'connecting'
        if (!isWaiting || slot.sinceUs > limitUs) continue
        slot.wire?.destroy()
        onOverdue(slot, index)
      }
    },
    Math.max(5, Math.min(100, timeoutMs / 4)),
  )
}
