/**
 * Several load generators as one: the load is split among them, they cross the window's edges together, and their
 * results become one. Counts are added and histograms merged; percentiles are never averaged.
 */
import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import { parseEvent } from '../../../harness/load/generator.js'
import { mergeHistograms } from '../../../harness/load/histogram.js'
import { defined } from '../../../harness/model/defined.js'
import type { LoadEvent } from '../../../harness/protocol/events.js'
import type { Command, ErrorKind, Histogram, LoadResult, Running } from '../../../harness/model.js'

/** The fields of a load that are divided; a generator's command carries them in its `--spec`. */
interface DividedSpec {
  readonly connections: number
  readonly ratePerSecond?: number
  readonly seed?: number
}

/** `argv` of each of `count` generators, or of fewer: each has a connection at least. Connections and rate are divided. */
export function splitLoad(argv: readonly string[], count: number): readonly (readonly string[])[] {
  const at = argv.indexOf('--spec') + 1
  const text = at > 0 ? argv[at] : undefined
  if (text === undefined) return [argv]
  const spec = JSON.parse(text) as DividedSpec
  const parts = Math.max(1, Math.min(count, spec.connections))
  if (parts === 1) return [argv]
  return Array.from({ length: parts }, (_, index) => {
    const connections = Math.floor(spec.connections / parts) + (index < spec.connections % parts ? 1 : 0)
    const part = {
      ...spec,
      connections,
      // By connections, so that every connection carries the same rate whatever generator it belongs to.
      ...defined({
        ratePerSecond: spec.ratePerSecond && (spec.ratePerSecond * connections) / spec.connections,
        seed: spec.seed === undefined ? undefined : spec.seed + index * 1_000_003,
      }),
    }
    return argv.map((argument, position) => (position === at ? JSON.stringify(part) : argument))
  })
}

/** Starts a command once for each part, and returns them as one command that writes one stream of events. */
export function runTogether(
  command: Command,
  parts: readonly (readonly string[])[],
  start: (command: Command, index: number) => Running,
): Running {
  const runnings = parts.map((argv, index) => start({ ...command, argv }, index))
  const [only] = runnings
  return only && runnings.length === 1 ? only : joinGenerators(runnings)
}

/** Generators that run at the same time, seen as one. When one of them fails the others are ended. */
export function joinGenerators(runnings: readonly Running[]): Running {
  const output = new PassThrough()
  const kill = (signal?: 'SIGTERM' | 'SIGKILL') => {
    for (const running of runnings) running.kill(signal)
  }
  const joined = new JoinedEvents(runnings.length, (event) => {
    output.write(`${JSON.stringify(event)}\n`)
    if (event.event === 'error') kill('SIGKILL')
  })

  async function follow(running: Running, index: number) {
    for await (const line of running.lines) {
      let event: LoadEvent
      try {
        event = parseEvent(line)
      } catch {
        // Whoever reads the joined stream says what is wrong with it.
        output.write(`${line}\n`)
        continue
      }
      joined.receive(event, index)
    }
    const end = await running.exited
    if (end.code !== 0) kill('SIGKILL')
    return end
  }

  // The first that failed is the cause; the others were ended because of it.
  let failed: Awaited<Running['exited']> | undefined
  const exited = Promise.all(
    runnings.map(async (running, index) => {
      const end = await follow(running, index)
      if (end.code !== 0) failed ??= end
      return end
    }),
  )
    .then((ends) => failed ?? ends[0] ?? { code: 0, signal: null, tail: '' })
    .finally(() => output.end())
  exited.catch(() => {})

  return {
    lines: createInterface({ input: output, crlfDelay: Infinity }),
    write(text) {
      joined.leaveEdge()
      for (const running of runnings) running.write(text)
    },
    kill,
    exited,
  }
}

class JoinedEvents {
  readonly #emit: (event: LoadEvent) => void
  readonly #latest: readonly Partial<Record<LoadEvent['event'], LoadEvent>>[]
  readonly #atEdge = new Set<number>()

  constructor(count: number, emit: (event: LoadEvent) => void) {
    this.#emit = emit
    this.#latest = Array.from({ length: count }, () => ({}))
  }

  /** All of them were told to go on. */
  leaveEdge(): void {
    this.#atEdge.clear()
  }

  receive(event: LoadEvent, index: number): void {
    const own = this.#latest[index]
    if (own) own[event.event] = event
    switch (event.event) {
      case 'connected': {
        const all = this.#allOf('connected')
        if (all)
          this.#emit({ event: 'connected', connections: sum(all.map(({ connections }) => connections)) })
        break
      }
      case 'progress': {
        const all = this.#allOf('progress')?.filter(({ phase }) => phase === event.phase)
        // One line for all, at the pace of one of them.
        if (all?.length !== this.#latest.length || index !== 0) break
        const slowest = Math.max(0, ...all.map(({ p99Us = 0 }) => p99Us))
        this.#emit({
          ...event,
          sent: sum(all.map(({ sent }) => sent)),
          ok: sum(all.map(({ ok }) => ok)),
          ...(slowest > 0 ? { p99Us: slowest } : {}),
        })
        break
      }
      case 'edge':
        // Counters are read while nobody sends: those who are early wait for the last.
        this.#atEdge.add(index)
        if (this.#atEdge.size === this.#latest.length) this.#emit(event)
        break
      case 'result': {
        const all = this.#allOf('result')
        if (all) this.#emit({ event: 'result', result: mergeResults(all.map(({ result }) => result)) })
        break
      }
      case 'error':
        this.#emit(event)
        break
    }
  }

  /** The last event of this kind of every generator, when each has sent one. */
  #allOf<K extends LoadEvent['event']>(kind: K): readonly Extract<LoadEvent, { event: K }>[] | undefined {
    const events = this.#latest.flatMap(({ [kind]: event }) => (event ? [event] : []))
    return events.length === this.#latest.length
      ? (events as unknown as readonly Extract<LoadEvent, { event: K }>[])
      : undefined
  }
}

/** One result of several generators that shared a load and a window. Throws when there is none. */
export function mergeResults(results: readonly LoadResult[]): LoadResult {
  const [first] = results
  if (!first) throw new Error('no results to merge')
  const total = (of: (result: LoadResult) => number) => sum(results.map(of))
  const errors: Partial<Record<ErrorKind, number>> = {}
  for (const result of results) {
    for (const [kind, count] of Object.entries(result.errors) as [ErrorKind, number][])
      errors[kind] = (errors[kind] ?? 0) + count
  }
  const uncounted = total((result) => result.uncounted ?? 0)
  const limits = [...new Set(results.flatMap((result) => result.limits ?? []))]
  // What one of them does not know, nobody knows of all.
  const unknown = [...new Set(results.flatMap((result) => result.unknown ?? []))]
  const merged = Object.fromEntries(
    (['response', 'service', 'sendLag', 'connect', 'firstByte'] as const).flatMap((name) => {
      const found = results.map((result) => result[name]).filter((histogram) => histogram !== undefined)
      // A distribution that lacks a generator's part would be another distribution.
      return found.length === results.length ? [[name, mergeHistograms(found)] as const] : []
    }),
  ) as Partial<Record<'response' | 'service' | 'sendLag' | 'connect', Histogram>>
  return {
    engine: first.engine,
    generators: total((result) => result.generators ?? 1),
    sent: total(({ sent }) => sent),
    ok: total(({ ok }) => ok),
    errors,
    unsent: total(({ unsent }) => unsent),
    windowMs: Math.max(...results.map(({ windowMs }) => windowMs)),
    achievedRatePerSecond: total(({ achievedRatePerSecond }) => achievedRatePerSecond),
    connectionsOpened: total(({ connectionsOpened }) => connectionsOpened),
    warmupSent: total(({ warmupSent }) => warmupSent),
    ...(uncounted > 0 ? { uncounted } : {}),
    bodyBytes: total(({ bodyBytes }) => bodyBytes),
    generatorCpuUs: total(({ generatorCpuUs }) => generatorCpuUs),
    ...merged,
    ...(unknown.length > 0 ? { unknown } : {}),
    ...(limits.length > 0 ? { limits } : {}),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
