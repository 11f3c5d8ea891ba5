/** The one check that every line of a load engine passes. */
import { loadEventSchema, type LoadEvent } from '../protocol/events.js'

/** A line that is no event. It quotes the line, because it is usually somebody's complaint. */
export class LoadEventError extends Error {
  constructor(problem: string, line: string) {
    super(`the load engine wrote a line that is no event: ${problem}: ${line.slice(0, 200)}`)
    this.name = 'LoadEventError'
  }
}

/** Parses one line of a generator that speaks the protocol. Throws `LoadEventError`. */
export function parseEvent(line: string): LoadEvent {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new LoadEventError('not JSON', line)
  }
  const checked = loadEventSchema.safeParse(value)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  throw new LoadEventError(`${issue?.path.join('.') || 'event'}: ${issue?.message ?? 'malformed'}`, line)
}
