/**
 * The record of a run: JSON lines, appended and synced one by one, never rewritten. Everything after it is a pure
 * function of it.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync } from 'node:fs'
import { openSync, readFileSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isInterrupted } from '../model/attempts.js'
import { UserError, messageOf } from '../model/errors.js'
import { entrySchemas } from '../model/journal.js'
import type { JournalEntry, RunHeader, Trial } from '../model.js'

const journalSchema = 1
export const journalName = 'journal.jsonl'

/** Names of folders within one that hold a run, links to folders elsewhere among them. */
export function runsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, journalName)))
    .sort()
}

/** The record of a run that goes on: what it holds, and the only way to add to it. */
export class RunJournal {
  readonly #entries: JournalEntry[]
  readonly #write: (entry: JournalEntry) => void

  /** `held`: what was written before, as by a run that is resumed. */
  constructor(write: (entry: JournalEntry) => void, held: readonly JournalEntry[] = []) {
    this.#write = write
    this.#entries = [...held]
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries
  }

  get trials(): readonly Trial[] {
    return this.#entries.filter((entry) => entry.type === 'trial')
  }

  /** Writes one entry, and returns when it is kept. Throws `UserError` when the disk refuses. */
  append(entry: JournalEntry): void {
    this.#write(entry)
    this.#entries.push(entry)
  }

  note(text: string): void {
    this.append({ type: 'note', at: new Date().toISOString(), text })
  }
}

/** Opens a run's journal for appending; half a line at its end, left by a crash, is cut off, as are empty ones of an editor. */
export function openJournal(
  folder: string,
  held: readonly JournalEntry[] = [],
): RunJournal & { close(): void } {
  const path = join(folder, journalName)
  const descriptor = openForAppending(path, held.length > 0)
  const write = (entry: JournalEntry) => {
    const bytes = Buffer.from(`${JSON.stringify(entry)}\n`)
    try {
      for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written)
      fsyncSync(descriptor)
    } catch (error) {
      throw new UserError(`cannot write the journal ${path}: ${messageOf(error)}`, {
        hint: 'free some space or choose another folder with --out; what was written before is intact, and --resume goes on from it',
        exitCode: 4,
        cause: error,
      })
    }
  }
  return Object.assign(new RunJournal(write, held), { close: () => closeSync(descriptor) })
}

function openForAppending(path: string, goesOn: boolean): number {
  try {
    const descriptor = openSync(path, 'a+')
    truncateAfterEntries(path, descriptor)
    return descriptor
  } catch (error) {
    throw new UserError(`cannot write the journal ${path}: ${messageOf(error)}`, {
      hint: goesOn
        ? 'a run goes on in the folder that it began in: make that one that can be written to'
        : 'choose another folder with --out',
      cause: error,
    })
  }
}

function truncateAfterEntries(path: string, descriptor: number): void {
  const bytes = readFileSync(path)
  const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1)
  const last = whole.findLastIndex((byte) => !blanks.includes(byte))
  const end = whole.indexOf(0x0a, last + 1) + 1
  if (end < bytes.length) ftruncateSync(descriptor, end)
}

const blanks = [...' \t\r\n'].map((blank) => blank.charCodeAt(0))

/** A journal that was read: its header and all entries, header first. */
export interface Journal {
  readonly folder: string
  readonly header: RunHeader
  readonly entries: readonly JournalEntry[]
}

/**
 * Reads a run's journal. `path` is the run's folder or the journal itself.
 *
 * A torn last line is left out. Throws `UserError`, with the number of the line, when there is no journal, when it is
 * of another schema, or when a line within is not an entry.
 */
export function readJournal(path: string): Journal {
  const file = path.endsWith('.jsonl') ? path : join(path, journalName)
  if (!existsSync(file)) {
    throw new UserError(`no journal at ${file}`, {
      hint: 'name the folder of a run, for example results/<run>',
    })
  }
  let text: string
  try {
    // An editor may have put a byte order mark before it, and empty lines behind it.
    text = readFileSync(file, 'utf8')
      .replace(/^\uFEFF/, '')
      .replace(/\n\s*\n$/, '\n')
  } catch (error) {
    throw new UserError(`cannot read ${file}: ${messageOf(error)}`, { cause: error })
  }
  const lines = text.split('\n')
  // After the last newline there is nothing, or half a line of a run that was cut off.
  const half = lines.pop()
  checkSchema(lines[0], file)
  const entries = lines.map((line, index) => parseEntry(line, file, index + 1))
  const [header] = entries
  if (header?.type !== 'run') {
    throw new UserError(`${file} has no header: its first line should be the run's`, {
      hint: half
        ? 'the run was cut off before it began; start it again'
        : 'is this the journal of a Meshbench run?',
    })
  }
  checkTrialsAreOfPlan(header, entries, file)
  return { folder: join(file, '..'), header, entries }
}

/** Says so when the journal is of another version, before its lines are judged by the shapes of this one. */
function checkSchema(firstLine: string | undefined, file: string): void {
  let header: { schema?: unknown; version?: unknown } | null
  try {
    header = JSON.parse(firstLine ?? 'null') as typeof header
  } catch {
    return // Told with its line number when the lines are parsed.
  }
  const schema = header?.schema
  if (typeof schema !== 'number' || schema === journalSchema) return
  const version = typeof header?.version === 'string' ? `: ${header.version.slice(0, 40)}` : ''
  throw new UserError(`${file} has schema ${schema}; this version reads schema ${journalSchema}`, {
    hint: `use the version that wrote it${version}`,
  })
}

function checkTrialsAreOfPlan(header: RunHeader, entries: readonly JournalEntry[], file: string): void {
  const cells = new Set(header.plan.cells.map(({ id }) => id))
  const seen = new Map<string, number>()
  for (const [index, entry] of entries.entries()) {
    if (entry.type !== 'trial') continue
    // An attempt that is interrupted is made again under its number, as often as it is.
    const key = `${entry.index} ${entry.attempt}${isInterrupted(entry) ? ` ${entry.startedAt}` : ''}`
    const before = seen.get(key)
    if (before !== undefined)
      throw new UserError(`${file} line ${index + 1} is the same trial as line ${before}`, {
        hint: 'a trial that is there twice would be counted twice: remove one of the lines',
      })
    seen.set(key, index + 1)
    if (!cells.has(entry.cell)) {
      throw new UserError(
        `${file} line ${index + 1}: cell: ${JSON.stringify(entry.cell)} is not in the run's plan`,
        { hint: 'the line belongs to another journal' },
      )
    }
  }
}

function parseEntry(line: string, file: string, number: number): JournalEntry {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new UserError(`${file} line ${number} is not JSON: ${messageOf(error)}`, {
      hint: 'a journal is only ever appended to; restore the line or cut the file before it',
    })
  }
  const type = (value as { type?: unknown } | null)?.type
  if (typeof type !== 'string' || !Object.hasOwn(entrySchemas, type)) {
    const shown = JSON.stringify(type) as string | undefined
    const what = shown === undefined ? 'has no type' : `is of unknown type ${shown.slice(0, 60)}`
    throw new UserError(`${file} line ${number} ${what}`, {
      hint: `known are ${Object.keys(entrySchemas).join(', ')}`,
    })
  }
  const problem = findEntryProblem(type as keyof typeof entrySchemas, value)
  if (problem !== undefined) {
    throw new UserError(`${file} line ${number} (${type}) is malformed: ${problem}`, {
      hint: 'restore the line, or cut the file before it',
    })
  }
  return value as JournalEntry
}

/** The first problem of a line as `path: value: what is wrong`; undefined when there is none. */
function findEntryProblem(type: keyof typeof entrySchemas, value: unknown): string | undefined {
  const checked = entrySchemas[type].safeParse(value, { reportInput: true })
  if (checked.success) return undefined
  const [issue] = checked.error.issues
  if (!issue) return 'malformed'
  const shown = JSON.stringify(issue.input) as string | undefined
  return `${issue.path.map(String).join('.') || 'entry'}: ${(shown ?? 'nothing').slice(0, 60)}: ${issue.message}`
}
