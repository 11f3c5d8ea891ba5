/**
 * A timer that is right to some ten microseconds without spinning a core, because `setTimeout` counts whole
 * milliseconds and a mesh hop costs a tenth of one.
 *
 * A helper thread sleeps in `Atomics.wait`, which takes fractions of a millisecond, until shortly before the deadline
 * and then wakes the owner's event loop, which spins the rest while it goes on serving its sockets. How long before
 * is learned from how late the wake-ups come.
 */
import { Worker } from 'node:worker_threads'

/** Monotonic time in microseconds, the same clock in every thread and process of the host (CLOCK_MONOTONIC). */
export function nowUs(): number {
  return performance.now() * 1000 + clockOffsetUs
}

const clockOffsetUs = clockOffset()

/** `performance.now()` is the monotonic clock minus the thread's own start: the difference is constant. */
function clockOffset(): number {
  let best = Infinity
  let offset = 0
  for (let i = 0; i < 20; i++) {
    const before = performance.now() * 1000
    const [seconds, nanos] = process.hrtime()
    const after = performance.now() * 1000
    if (after - before < best) {
      best = after - before
      offset = seconds * 1e6 + nanos / 1e3 - (before + after) / 2
    }
  }
  return offset
}

/** Slots of the memory that owner and sleeper share. */
const slots = { sequence: 0, wakeAtByte: 8, bytes: 16 } as const

/**
 * The sleeper. It is text and not a file so that it works in a bundle, and it is tiny so that it starts fast.
 *
 * A thread's sleeps end up to 50 µs late by default (PR_SET_TIMERSLACK in prctl(2)); since Linux 4.6 a thread may
 * lower its own slack through /proc. Where that fails, wake-ups are later and the lead grows by itself.
 */
const sleeperSource = `
const { parentPort, workerData } = require('node:worker_threads')
const fs = require('node:fs')
try {
  const tid = fs.readlinkSync('/proc/thread-self').split('/').pop()
  fs.writeFileSync('/proc/' + tid + '/timerslack_ns', '1')
} catch {}
const signal = new Int32Array(workerData, 0, 1)
const wakeAt = new Float64Array(workerData, ${slots.wakeAtByte}, 1)
// The first call loads code for milliseconds.
process.hrtime()
for (;;) {
  const sequence = Atomics.load(signal, 0)
  const [seconds, nanos] = process.hrtime()
  const leftMs = wakeAt[0] / 1000 - seconds * 1e3 - nanos / 1e6
  if (leftMs === Infinity) {
    Atomics.wait(signal, 0, sequence)
    continue
  }
  if (leftMs > 0 && Atomics.wait(signal, 0, sequence, leftMs) !== 'timed-out') continue
  parentPort.postMessage(0)
  Atomics.wait(signal, 0, sequence)
}
`

/** Below this the owner does not turn its event loop once more: a turn would take longer than what is left. */
const busyUs = 6
const minLeadUs = 20

/** One deadline at a time; `fire` is called at it or, when the loop is busy, after it, and never before. */
export class PreciseTimer {
  readonly #fire: () => void
  readonly #maxLeadUs: number
  readonly #sequence: Int32Array
  readonly #wakeAt: Float64Array
  readonly #sleeper: Worker
  #leadUs: number
  #deadlineUs = Infinity
  #requestedWakeUs = Infinity
  #spinning = false

  /** `maxLeadUs`: longest time before a deadline that may be spun away, in µs: bounds what precision may cost. */
  constructor(fire: () => void, maxLeadUs = 250) {
    this.#fire = fire
    this.#maxLeadUs = maxLeadUs
    this.#leadUs = Math.min(100, maxLeadUs)
    const memory = new SharedArrayBuffer(slots.bytes)
    this.#sequence = new Int32Array(memory, 0, 1)
    this.#wakeAt = new Float64Array(memory, slots.wakeAtByte, 1)
    this.#wakeAt[0] = Infinity
    this.#sleeper = new Worker(sleeperSource, { eval: true, workerData: memory })
    this.#sleeper.unref()
    this.#sleeper.on('message', () => this.#woken())
    // Without its sleeper the timer would be silent for ever: better to stop the program, loudly.
    this.#sleeper.on('error', (error) => {
      throw error
    })
  }

  /** Replaces the deadline. `Infinity` means none. */
  set(deadlineUs: number): void {
    this.#deadlineUs = deadlineUs
    if (this.#spinning) return
    const wakeAtUs = deadlineUs - this.#leadUs
    if (nowUs() >= wakeAtUs) {
      this.#startSpinning()
      return
    }
    if (deadlineUs === Infinity && this.#requestedWakeUs === Infinity) return
    this.#requestedWakeUs = wakeAtUs
    this.#wakeAt[0] = wakeAtUs
    Atomics.add(this.#sequence, 0, 1)
    Atomics.notify(this.#sequence, 0)
  }

  close(): void {
    this.#deadlineUs = Infinity
    void this.#sleeper.terminate()
  }

  #woken(): void {
    const lateUs = nowUs() - this.#requestedWakeUs
    // A wake-up that was overtaken by a newer deadline tells nothing.
    if (lateUs < 0) return
    this.#requestedWakeUs = Infinity
    // Follows the 98th percentile of the lateness: one step up weighs what 49 steps down do. A higher one costs more CPU than it gains.
    const step = lateUs > this.#leadUs ? 4.9 : -0.1
    this.#leadUs = Math.min(this.#maxLeadUs, Math.max(minLeadUs, this.#leadUs + step))
    if (this.#deadlineUs !== Infinity && !this.#spinning) this.#startSpinning()
  }

  #startSpinning(): void {
    this.#spinning = true
    setImmediate(this.#spin)
  }

  readonly #spin = (): void => {
    let time = nowUs()
    const leftUs = this.#deadlineUs - time
    if (leftUs > busyUs) {
      if (leftUs <= this.#maxLeadUs) {
        setImmediate(this.#spin)
        return
      }
      // The deadline moved away meanwhile.
      this.#spinning = false
      this.set(this.#deadlineUs)
      return
    }
    while (time < this.#deadlineUs) time = nowUs()
    this.#deadlineUs = Infinity
    this.#spinning = false
    this.#fire()
  }
}
