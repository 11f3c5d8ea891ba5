/** Notices when this process stood still: stopped by Ctrl-Z, asleep with its laptop, paused with its machine. */

export interface Standstill {
  /** ms that this process has stood still, or its clock jumped, since it was first watched. */
  totalMs(): number
  /** A monotonic clock that such gaps do not move. */
  nowMs(): number
  stop(): void
}

const tickMs = 250
/** A busy event loop is late, too, but not by as much. */
const leastGapMs = 3_000

export interface Clocks {
  /** Stops in a machine that sleeps. */
  monotonicMs(): number
  /** Goes on in it, and jumps when it is set. */
  wallMs(): number
}

const systemClocks: Clocks = { monotonicMs: () => performance.now(), wallMs: () => Date.now() }

export function watchStandstill(clocks: Clocks = systemClocks): Standstill {
  let total = 0
  let lostMs = 0
  let last = { monotonic: clocks.monotonicMs(), wall: clocks.wallMs() }
  const look = () => {
    const now = { monotonic: clocks.monotonicMs(), wall: clocks.wallMs() }
    const gaps = [now.monotonic - last.monotonic, now.wall - last.wall].map((ms) => Math.max(0, ms - tickMs))
    const [monotonic = 0] = gaps
    if (Math.max(...gaps) > leastGapMs) total += Math.max(...gaps)
    if (monotonic > leastGapMs) lostMs += monotonic
    last = now
  }
  const timer = setInterval(look, tickMs)
  timer.unref()
  return {
    totalMs() {
      look()
      return total
    },
    nowMs() {
      look()
      return last.monotonic - lostMs
    },
    stop: () => clearInterval(timer),
  }
}
