/** How a process of Meshbench is asked to end before it is done. */
import { exitCodes } from '../model/errors.js'

/** Ctrl-C, an orderly end asked for by another program, and a terminal that was closed. */
const interruptSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** From now on calls this at every interrupt, which by itself would end the process at once. Returns the way back. */
export function onInterrupt(act: () => void): () => void {
  for (const name of interruptSignals) process.on(name, act)
  return () => {
    for (const name of interruptSignals) process.off(name, act)
  }
}

/** An interrupt ends the process by way of its exit handlers, which take away what it made. */
export function exitOnInterrupt(): () => void {
  return onInterrupt(() => process.exit(exitCodes.interrupted))
}
