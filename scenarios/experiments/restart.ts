/**
 * What a trial tells in which a hop ends and comes back: for how long nothing was answered, and what the first answer took.
 *
 * Each request has a connection of its own, so that one is refused at once where nobody listens, and the next tries again.
 */
import type { Path, Script, Trial } from '../../harness/model.js'

export const sliceMs = 5

/** Ends the path's first hop, or a spare one that carries nothing, and starts it again at once. */
export function restart({ hops: [first] }: Path, atMs: number, of?: 'spare'): Script {
  if (!first) return []
  const target = of === undefined ? { hop: first.name } : { hop: first.name, of }
  return [
    { atMs, target, change: { do: 'kill' } },
    { atMs, target, change: { do: 'start' } },
  ]
}

export interface Restart {
  /** From the start of the hop until it was ready, as its platform saw it; 0 of a spare hop, which nobody waits for. */
  readonly readyMs: number
  /** From the application's first instant until requests were answered. It begins with the hop, or once that was awaited. */
  readonly unservedMs: number
  /** Response time of the first request that was answered after it, less the median of those behind it. */
  readonly firstAddedMs: number | undefined
}

/** Undefined of a trial that ended nothing. Times of events and of slices have different zeros: none is set against another. */
export function readRestart({ events = [], load }: Trial): Restart | undefined {
  const find = (what: string) => events.find(({ action }) => action.startsWith(`${what} `))
  const [ended, started, awaited] = [find('kill'), find('start'), find('await')]
  const slices = load?.slices?.workloads[0]
  if (!ended || !started || !slices) return undefined
  const first = slices.failed.findIndex((failures) => failures > 0)
  const last = slices.failed.findLastIndex((failures) => failures > 0)
  const silentMs = first < 0 ? 0 : (last - first + 1) * sliceMs
  const begunMs = (awaited?.endedMs ?? started.startedMs) - ended.startedMs
  const after = last < 0 ? Math.floor(started.endedMs / sliceMs) : last
  const answered = slices.meanUs.filter((_, slice) => slice > after && (slices.ok[slice] ?? 0) > 0)
  const [firstUs, ...later] = answered
  return {
    readyMs: started.action.endsWith('of the spare') ? 0 : started.endedMs - started.startedMs,
    unservedMs: Math.max(0, silentMs - begunMs),
    firstAddedMs: firstUs === undefined || later.length === 0 ? undefined : (firstUs - middle(later)) / 1000,
  }
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
