/**
 * Keeps the JavaScript engine's own work away from the schedule: with as many busy threads as cores, a sender that wakes
 * while code is compiled or garbage is collected waits for its turn, and its lag is read as latency.
 */
import { readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/** Called once, before the first thread of ours starts. */
export function yieldToSenders(): void {
  try {
    // The threads that compile and collect are as many as there are cores and work for milliseconds at a time.
    for (const thread of readdirSync('/proc/self/task'))
      if (Number(thread) !== process.pid) setPriority(Number(thread), constants.priority.PRIORITY_LOW)
  } catch {
    // Not on Linux: nothing is known of single threads.
  }
}

/**
 * No function is optimised from now on; those that are stay so. A warm-up leaves what is seldom called for seconds later,
 * when compiling it costs more CPU than it saves for the rest of the load, and moves the times while they are read. Not
 * for code that is cold: what it loads after this is compiled without Node's code cache, which is made for other flags.
 */
export function stopCompiling(): void {
  setFlagsFromString('--no-turbofan')
}
