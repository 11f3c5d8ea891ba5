/**
 * Paths of Unix sockets, which have 107 bytes at most (unix(7)): a longer one Node cuts without a word, and others refuse. The
 * folder for temporary files, in which the run's is, may be any length.
 */
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Scope } from '../../../harness/model.js'

/**
 * A socket in the run's folder, by a path that is short however deep that lies: for this process and those of its user until the
 * scope is closed, but not from within another user namespace.
 */
export function socketPath({ stateDir, defer }: Pick<Scope, 'stateDir' | 'defer'>, name: string): string {
  if (process.platform !== 'linux') return join(stateDir, name)
  const folder = openSync(stateDir, 'r')
  defer(`let go of the folder of ${name}`, () => closeSync(folder))
  return `/proc/${process.pid}/fd/${folder}/${name}`
}
