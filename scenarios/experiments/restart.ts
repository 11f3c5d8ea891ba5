/**
 * What a trial tells in which a hop ends and comes back: for how long nothing was answered, and what the first answer took.
 *
 * Each request has a connection of its own, so that one is refused at once where nobody listens, and the next tries again.
 */
import type { Path, Script, Slices, Trial } from '../../harness/model.js'
import { actsOn } from './experiment.js'

export const sliceMs = 5

/** Ends the path's first hop, or a spare one that carries nothing, and starts it again at once. */
export const restart = ({ hops: [first] }: Path, atMs: number, of?: 'spare'): Script =>
  actsOn(first, of, [
    [atMs, 'kill'],
    [atMs, 'start'],
  ])

export interface Restart {
  /** From the start of the hop until it was ready, as its platform saw it; 0 of a spare hop, which nobody waits for. */
  readonly readyMs: number
  /**
   * From the application's first instant on, all time in which requests failed: one stretch of it, or the sum of several. It
   * begins with the hop, or once that was awaited.
   */
  readonly unservedMs: number
  /** How many stretches of failures there were, the hop's own absence among them: requests were answered between any two. */
  readonly outages: number
  /** Response time of the first request that was answered after the longest of them, less the median of those behind it. */
  readonly firstAddedMs: number | undefined
}

/** Undefined of a trial that ended nothing. Times of events and of slices have different zeros: none is set against another. */
export function readRestart({ events = [], load }: Trial): Restart | undefined {
  const find = (what: string) => events.find(({ action }) => action.startsWith(`${what} `))
  const [ended, started, awaited] = [find('kill'), find('start'), find('await')]
  const slices = load?.slices?.workloads[0]
  if (!ended || !started || !slices) return undefined
  const outages = outagesOf(slices)
  const begunMs = (awaited?.endedMs ?? started.startedMs) - ended.startedMs
  // The hop ends where the first failure is; what failed before the application's first instant is nobody's loss.
  const beginMs = (outages[0]?.fromMs ?? 0) + begunMs
  const unservedMs = outages.map(({ fromMs, toMs }) => Math.max(0, toMs - Math.max(fromMs, beginMs)))
  const [longest] = [...outages].sort((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs))
  const afterMs = longest?.toMs ?? (Math.floor(started.endedMs / sliceMs) + 1) * sliceMs
  const answered = slices.meanUs.filter(
    (_, slice) => slice * sliceMs >= afterMs && (slices.ok[slice] ?? 0) > 0,
  )
  const [firstUs, ...later] = answered
  return {
    readyMs: started.action.endsWith('of the spare') ? 0 : started.endedMs - started.startedMs,
    unservedMs: unservedMs.reduce((sum, ms) => sum + ms, 0),
    outages: outages.length,
    firstAddedMs: firstUs === undefined || later.length === 0 ? undefined : (firstUs - middle(later)) / 1000,
  }
}

interface Outage {
  readonly fromMs: number
  readonly toMs: number
}

/** Slices with a failure, joined where nothing was answered between them: a slice in which nobody asked ends none. */
function outagesOf({ failed, ok }: Pick<Slices['workloads'][number], 'failed' | 'ok'>): readonly Outage[] {
  const outages: { fromMs: number; toMs: number }[] = []
  let isServed = true
  failed.forEach((failures, slice) => {
    if (failures > 0) {
      if (isServed) outages.push({ fromMs: slice * sliceMs, toMs: 0 })
      const last = outages.at(-1)
      if (last) last.toMs = (slice + 1) * sliceMs
    }
    if (failures > 0 || (ok[slice] ?? 0) > 0) isServed = failures === 0
  })
  return outages
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
