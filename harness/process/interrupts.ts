/** How a process of Meshbench is asked to end before it is done. */
import { readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { exitCodes } from '../model/errors.js'

/** Ctrl-C, an orderly end asked for by another program, and a terminal that was closed. */
const interruptSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** From now on calls this at every interrupt, which by itself would end the process at once. Returns the way back. */
export function onInterrupt(act: () => void): () => void {
  const names = startedByNohup() ? interruptSignals.filter((name) => name !== 'SIGHUP') : interruptSignals
  for (const name of names) process.on(name, act)
  return () => {
    for (const name of names) process.off(name, act)
  }
}

/**
 * Whoever starts a program by nohup wants it to outlive the terminal. Node takes back every signal that was ignored when
 * it was started, so that its own state does not tell: the shell's last command does, and where nohup sends the output.
 */
function startedByNohup(): boolean {
  if (basename(process.env._ ?? '') === 'nohup') return true
  try {
    return basename(readlinkSync('/proc/self/fd/1')) === 'nohup.out'
  } catch {
    return false
  }
}

/** From the start of the process on: a closed terminal ends nothing that nohup was asked to keep. */
export function outliveTerminal(): void {
  if (startedByNohup()) process.on('SIGHUP', () => {})
}

/** An interrupt ends the process by way of its exit handlers, which take away what it made. */
export function exitOnInterrupt(): () => void {
  return onInterrupt(() => process.exit(exitCodes.interrupted))
}
