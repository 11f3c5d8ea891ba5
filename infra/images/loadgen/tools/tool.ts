/** What a load tool of somebody else's is to the generator: a command line, and a reader of what it prints. */
import type { ErrorKind } from '../../../../harness/protocol/result.js'
import type { Spec } from '../spec.js'
import { kindOfStatus } from '../wires/wire.js'

export interface ToolRun {
  readonly spec: Spec
  readonly url: string
  /** Value for the `host` header when it is not the URL's. */
  readonly authority: string | undefined
  readonly seconds: number
  /** A folder of this run's own. */
  readonly folder: string
  /** Every request on a connection of its own, where the tool has a way to ask for it. */
  readonly fresh?: boolean
}

export interface ToolReport {
  readonly ok: number
  readonly errors: Readonly<Partial<Record<ErrorKind, number>>>
  /** µs and how many requests took as long. */
  readonly latency: Iterable<readonly [us: number, count: number]>
  readonly bodyBytes?: number
  readonly windowMs?: number
  readonly connectionsOpened?: number
  /** Due but not sent, by its own word. */
  readonly dropped?: number
  /** Requests before the time that counts; in no other figure. */
  readonly warmupSent?: number
}

export interface Tool {
  readonly program: string
  /** Where its latency starts: when a request was due, or when it was sent. */
  readonly charges: 'due' | 'sent'
  /** Others leave up to one request for each connection uncounted: in flight at the end, or sent ahead of the rest. */
  readonly countsAll?: true
  /** What it cannot give, in words for the report. */
  readonly limits: readonly string[]
  /** Files that it needs in the folder, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** A command that takes the arguments in the program's place, for tools whose output another program has to read. */
  readonly wrap?: readonly string[]
  /** It cannot be asked for a new connection for each request. */
  readonly neverFresh?: true
  /** Arguments, without the program. */
  argv(run: ToolRun): readonly string[]
  /** `files` reads one that the tool wrote. Throws when the output is not what this version prints. */
  parse(output: string, run: ToolRun, files: (name: string) => string): ToolReport
}

/** The finest that tools take. */
export function wholeSeconds(seconds: number): string {
  return String(Math.max(1, Math.round(seconds)))
}

/** Seconds as most tools take them. */
export function secondsArgument(seconds: number): string {
  return `${wholeSeconds(seconds)}s`
}

export function commandOf(tool: Tool, run: ToolRun): readonly string[] {
  return [...(tool.wrap ?? [tool.program]), ...tool.argv(run)]
}

/** Gives every step between two known percentiles (share → µs) the upper one's value: never better than it was. */
export function stepsOf(
  percentiles: Iterable<readonly [share: number, us: number]>,
  count: number,
): [us: number, count: number][] {
  // As many as do not exceed the percentile, at least: the one that it names is among them.
  const sorted = [...percentiles].sort(([a], [b]) => a - b)
  return addedBy(sorted.map(([share, us]) => [us, Math.ceil(share * count - 1e-6)]))
}

/** Of a spectrum, whose steps have how many requests took at most as long: how many each of them adds. */
export function addedBy(
  spectrum: readonly (readonly [us: number, upTo: number])[],
): [us: number, count: number][] {
  let before = 0
  return spectrum.flatMap(([us, upTo]): [number, number][] => {
    const added = upTo - before
    before = Math.max(before, upTo)
    return added > 0 ? [[us, added]] : []
  })
}

/** Counts answered requests by their status, and failures by what a tool calls them. */
export function countFates(
  statuses: Iterable<readonly [status: number, count: number]>,
  failures: Iterable<readonly [text: string, count: number]> = [],
): Pick<ToolReport, 'ok' | 'errors'> {
  const errors: Partial<Record<ErrorKind, number>> = {}
  let ok = 0
  for (const [status, count] of statuses) {
    const kind = kindOfStatus(status)
    if (kind === undefined) ok += count
    else addError(errors, kind, count)
  }
  for (const [text, count] of failures) addError(errors, kindOfFailure(text), count)
  return { ok, errors }
}

/** Counts replies one by one: what was wrong with each, or how long a good one took. */
export function countReplies(
  replies: Iterable<readonly [kind: ErrorKind | undefined, us: number]>,
): Pick<ToolReport, 'ok' | 'errors' | 'latency'> {
  const errors: Partial<Record<ErrorKind, number>> = {}
  const latency: [us: number, count: number][] = []
  for (const [kind, us] of replies)
    if (kind === undefined) latency.push([us, 1])
    else addError(errors, kind, 1)
  return { ok: latency.length, errors, latency }
}

/** Errors by kind, those that happened. */
export function errorsOf(counts: ToolReport['errors']): ToolReport['errors'] {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

export function kindOfFailure(text: string): ErrorKind {
  return /refused|connect:|dial/i.test(text) ? 'connect' : /time/i.test(text) ? 'timeout' : 'reset'
}

function addError(errors: Partial<Record<ErrorKind, number>>, kind: ErrorKind, count: number): void {
  if (count > 0) errors[kind] = (errors[kind] ?? 0) + count
}
