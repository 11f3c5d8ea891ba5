/** Folders that output goes to: tried before anything is measured, so that nobody waits for what cannot be kept. */
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { UserError, messageOf } from '../model/errors.js'

/**
 * Makes a folder and those above it, and returns what was made, the outermost first. Throws, and leaves nothing behind, where
 * it cannot be made. Node's own `recursive` tries for ever where a file system takes no folders, as in /proc.
 */
export function makeFolder(folder: string): readonly string[] {
  const missing: string[] = []
  for (let path = resolve(folder); !existsSync(path); path = dirname(path)) missing.unshift(path)
  const made: string[] = []
  try {
    for (const path of missing) if (makeUnlessThere(path)) made.push(path)
    if (!statSync(folder).isDirectory()) throw new Error('it is a file')
  } catch (error) {
    removeEmpty(made)
    throw error
  }
  return made
}

/** False where another process was faster. */
function makeUnlessThere(path: string): boolean {
  try {
    mkdirSync(path)
    return true
  } catch (error) {
    if (existsSync(path) && statSync(path).isDirectory()) return false
    throw error
  }
}

function removeEmpty(folders: readonly string[]): void {
  for (const folder of [...folders].reverse()) {
    try {
      rmdirSync(folder)
    } catch {
      return // Something is in it by now.
    }
  }
}

/**
 * Throws a `UserError` that names the flag and its value unless `folder` can be made and written to; leaves nothing behind.
 * `value` is what was typed, where that is no folder itself.
 */
export function tryFolder(flag: string, folder: string, value = folder): void {
  if (existsSync(folder) && !statSync(folder).isDirectory())
    throw new UserError(`${flag}: ${folder} is a file`, {
      hint: 'name a folder, which need not be there yet',
    })
  let made: readonly string[] = []
  try {
    made = makeFolder(folder)
    rmdirSync(mkdtempSync(join(folder, '.meshbench-')))
  } catch (error) {
    throw cannotWrite(flag, value, error)
  } finally {
    removeEmpty(made)
  }
}

/** The same of a file, which is made or replaced. */
export function tryFile(flag: string, file: string, example: string): void {
  if (existsSync(file)) {
    const found = statSync(file)
    // A device or a pipe keeps nothing, and writing to one may never end.
    if (!found.isFile())
      throw new UserError(`${flag}: ${file} is ${found.isDirectory() ? 'a folder' : 'no ordinary file'}`, {
        hint: `name a file, as ${example} is`,
      })
    try {
      accessSync(file, constants.W_OK)
    } catch (error) {
      throw cannotWrite(flag, file, error)
    }
  }
  tryFolder(flag, dirname(file), file)
}

function cannotWrite(flag: string, value: string, error: unknown): UserError {
  return new UserError(`${flag}: ${value} cannot be written to: ${messageOf(error)}`, {
    hint: `name with ${flag} what this user may write to, on a disk that has room`,
    cause: error,
  })
}
