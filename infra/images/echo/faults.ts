/** What a reply has to suffer before it is sent: delays, burned CPU, freezes. Their sizes are known, so that a measurement can be checked. */
import type { Cell } from '../kit/process/metrics.js'
import { Delays } from '../kit/process/delays.js'
import { nowUs } from '../kit/process/precise-timer.js'
import type { FaultsConfig } from './config.js'

/** `burnedSeconds` counts the CPU time that was burned, so that what was injected is known and not only what was asked for. */
export function createFaults(first: FaultsConfig, burnedSeconds: Cell) {
  let config = first
  let requests = 0
  let frozen = false
  // They bring a thread along: only servers that delay pay for it.
  let delays: Delays | undefined
  return {
    /**
     * Takes the toll of one request and calls `reply`: at once when no delay is due, else after it. `extraDelayUs` is
     * what the request itself asked for.
     */
    apply(extraDelayUs: number, reply: () => void): void {
      const arrived = nowUs()
      requests++
      if (config.freeze && !frozen && requests > config.freeze.afterRequests) {
        frozen = true
        freeze(config.freeze.durationMs)
      }
      const { burnUs, burnEvery } = config
      if (burnUs > 0 && requests % burnEvery === 0) burnedSeconds.add(burn(burnUs * burnEvery) / 1e6)
      let delayUs = extraDelayUs + config.delayMs * 1000
      if (config.slow && requests % config.slow.every === 0) delayUs += config.slow.delayMs * 1000
      if (delayUs <= 0) {
        reply()
        return
      }
      delays ??= new Delays()
      delays.at(arrived + delayUs, reply)
    },
    reload(next: FaultsConfig): void {
      config = next
      frozen = false
    },
    close(): void {
      delays?.close()
    },
  }
}

export type Faults = ReturnType<typeof createFaults>

/** As a collector that stops the world does: busy, so that the core is awake at its end and the end is when it is said to be. */
function freeze(durationMs: number): void {
  const end = nowUs() + durationMs * 1000
  while (nowUs() < end);
}

/**
 * Burns CPU time and not wall time, so that a preempted burn is not cut short. Reading the clock is itself a part of
 * what is burned: half of the first reading goes uncounted, and half of the last one is still to come. Between two
 * readings it only computes: each reading leaves garbage behind, whose collection would be paid after the burn.
 * Returns what was burned, in µs; it ends up to a step of computing late.
 */
function burn(us: number): number {
  readingUs ??= measureReadingUs()
  const start = cpuUs() - readingUs / 2
  // The clock counts whole µs, so that the end is seen half of one late.
  const target = start + us - readingUs / 2 - 0.5
  let now = cpuUs()
  while (now < target) {
    compute()
    now = cpuUs()
  }
  return now + readingUs / 2 - start
}

/** A few µs in registers alone: no memory is touched, and nothing allocated. */
function compute(): void {
  let value = state
  for (let i = 0; i < 4000; i++) value = (Math.imul(value, 1664525) + 1013904223) | 0
  state = value
}

/** Kept, so that the compiler cannot leave the computing out. */
let state = 1

let readingUs: number | undefined

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function measureReadingUs(): number {
  const readings = 20_000
  // The first ones are slow: the compiler has not seen them yet.
  for (let i = 0; i < readings; i++) cpuUs()
  const start = cpuUs()
  for (let i = 0; i < readings; i++) cpuUs()
  return (cpuUs() - start) / readings
}
