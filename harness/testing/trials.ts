/** What tests read of a journal's trials. */
import { isRepeated } from '../model/attempts.js'
import type { JournalEntry, Trial } from '../model.js'

export function trialsOf(entries: readonly JournalEntry[]): Trial[] {
  return entries.filter((entry): entry is Trial => entry.type === 'trial')
}

/** The last attempt of each trial: a busy machine may make one invalid, which is then run again. */
export function lastAttempts(entries: readonly JournalEntry[]): Trial[] {
  return trialsOf(entries).filter((trial) => !isRepeated(trial))
}
