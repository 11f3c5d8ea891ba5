/** How a process of Meshbench is asked to end before it is done. */
import { exitCodes } from '../model/errors.js'

/** Ctrl-C, an orderly end asked for by another program, and a terminal that was closed. */
export const interruptSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * From now on an interrupt ends the process by way of its exit handlers, which take away what it made; by itself a signal
 * ends it without them. Returns the way back.
 */
export function exitOnInterrupt(): () => void {
  const leave = () => process.exit(exitCodes.interrupted)
  for (const name of interruptSignals) process.on(name, leave)
  return () => {
    for (const name of interruptSignals) process.off(name, leave)
  }
}
