/** The event stream that a load engine writes to its standard output, and the one check that every line passes. */
import type { LoadResult } from '../model.js'

/** See infra/images/README.md for what each event means and who answers it. */
export type LoadEvent =
  | { readonly event: 'connected'; readonly connections: number }
  | {
      readonly event: 'progress'
      readonly phase: 'warmup' | 'window'
      readonly elapsedMs: number
      readonly sent: number
      readonly ok: number
      /** Of the phase so far; absent before the first reply. */
      readonly p99Us?: number
    }
  | { readonly event: 'edge'; readonly edge: 'start' | 'end' }
  | { readonly event: 'result'; readonly result: LoadResult }
  | { readonly event: 'error'; readonly kind: string; readonly message: string }

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
  const problem = isRecord(value) ? findProblem(value) : 'not an object'
  if (problem !== undefined) throw new LoadEventError(problem, line)
  return value as LoadEvent
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function findProblem(value: Record<string, unknown>): string | undefined {
  switch (value.event) {
    case 'connected':
      return lacksCount(value, ['connections'])
    case 'progress':
      if (value.phase !== 'warmup' && value.phase !== 'window') return 'phase is neither warmup nor window'
      if (value.p99Us !== undefined && !isAmount(value.p99Us)) return 'p99Us is not a number'
      return lacksCount(value, ['elapsedMs', 'sent', 'ok'])
    case 'edge':
      return value.edge === 'start' || value.edge === 'end' ? undefined : 'edge is neither start nor end'
    case 'result':
      return isRecord(value.result) ? findResultProblem(value.result) : 'result is missing'
    case 'error':
      return typeof value.kind === 'string' && typeof value.message === 'string'
        ? undefined
        : 'kind or message is missing'
    default:
      return `unknown event ${JSON.stringify(value.event)}`
  }
}

const resultCounts = [
  'sent',
  'ok',
  'unsent',
  'windowMs',
  'achievedRatePerSecond',
  'connectionsOpened',
  'warmupSent',
  'bodyBytes',
  'generatorCpuUs',
]

function findResultProblem(result: Record<string, unknown>): string | undefined {
  if (typeof result.engine !== 'string') return 'result.engine is missing'
  const lacking = lacksCount(result, resultCounts)
  if (lacking !== undefined) return `result: ${lacking}`
  if (result.uncounted !== undefined && !isAmount(result.uncounted)) return 'result.uncounted is not a number'
  if (!isRecord(result.errors)) return 'result.errors is missing'
  let errors = 0
  for (const [kind, count] of Object.entries(result.errors)) {
    if (!isAmount(count)) return `result.errors.${kind} is not a number`
    errors += count
  }
  // Every request has one fate: a generator that loses one cannot be believed.
  if (result.sent !== (result.ok as number) + errors) {
    return `result: sent ${String(result.sent)} is not ok ${String(result.ok)} + errors ${errors}`
  }
  for (const name of ['response', 'service', 'sendLag', 'connect', 'firstByte']) {
    const histogram = result[name]
    if (histogram === undefined) continue
    if (
      !isRecord(histogram) ||
      typeof histogram.data !== 'string' ||
      lacksCount(histogram, ['count']) !== undefined
    )
      return `result.${name} is not a histogram`
  }
  return undefined
}

function lacksCount(value: Record<string, unknown>, names: readonly string[]): string | undefined {
  const bad = names.find((name) => !isAmount(value[name]))
  return bad === undefined ? undefined : `${bad} is not a number of at least 0`
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value)
}
