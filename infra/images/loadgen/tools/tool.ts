/** What a load tool of somebody else's is to the generator: a command line, and a reader of what it prints. */
import type { ErrorKind } from '../../../../harness/protocol/result.js'
import type { Spec } from '../spec.js'

/** One run of the tool. */
export interface ToolRun {
  readonly spec: Spec
  readonly url: string
  /** Value for the `host` header when it is not the URL's. */
  readonly authority: string | undefined
  readonly seconds: number
  /** A folder of this run's own. */
  readonly folder: string
}

export interface ToolReport {
  readonly ok: number
  readonly errors: Readonly<Partial<Record<ErrorKind, number>>>
  /** µs and how many requests took as long. */
  readonly latency: Iterable<readonly [us: number, count: number]>
  readonly bodyBytes?: number
  readonly windowMs?: number
  readonly connectionsOpened?: number
}

export interface Tool {
  readonly program: string
  /** Where its latency starts: when a request was due, or when it was sent. */
  readonly charges: 'due' | 'sent'
  /** Up to one request for each connection reaches the server without being counted: in flight at the end, or sent ahead of the rest. */
  readonly leavesUncounted: boolean
  /** What it cannot give, in words for the report. */
  readonly limits: readonly string[]
  /** Files that it needs in the folder, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** Arguments, without the program. */
  argv(run: ToolRun): readonly string[]
  /** `files` reads one that the tool wrote. Throws when the output is not what this version prints. */
  parse(output: string, run: ToolRun, files: (name: string) => string): ToolReport
}

/** Seconds as most tools take them. */
export function secondsArgument(seconds: number): string {
  return `${Math.max(1, Math.round(seconds))}s`
}

/** The kind of an answered request by its status; undefined when it succeeded. */
export function kindOfCode(status: number): ErrorKind | undefined {
  if (status >= 200 && status < 300) return undefined
  return status >= 500 ? '5xx' : status >= 400 ? '4xx' : 'other'
}

/** Adds to a count by kind; 0 leaves no trace. */
export function addError(errors: Partial<Record<ErrorKind, number>>, kind: ErrorKind, count: number): void {
  if (count > 0) errors[kind] = (errors[kind] ?? 0) + count
}
