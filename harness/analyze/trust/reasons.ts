/** Why trials cannot be believed: the reason that spoiled the most of them, and what to do about it. Pure. */
import type { Trial } from '../../model.js'

/**
 * The reason that spoiled the most trials, its figures left aside while counting. Of those that spoiled as many the cause
 * of the others: a host that strangers fill is saturated as well.
 */
export function topReason(
  trials: readonly Pick<Trial, 'state' | 'reasons' | 'error'>[],
): { readonly text: string; readonly count: number } | undefined {
  const counted = new Map<string, { text: string; count: number }>()
  for (const { state, reasons, error } of trials) {
    if (state === 'ok') continue
    for (const text of error ? [error.message] : reasons) {
      const kind = text.replace(/[\d.,]+/g, '#')
      const before = counted.get(kind)
      counted.set(kind, { text, count: (before?.count ?? 0) + 1 })
    }
  }
  return [...counted.values()].sort((a, b) => b.count - a.count || rankOf(a.text) - rankOf(b.text))[0]
}

/** Causes before what they may cause. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /^others used/,
    'let the host come to rest, or measure where nothing else runs; `validity.maxForeignCpuShare` is the limit',
  ],
  [/^Meshbench stood still/, 'let it run in the foreground, on a machine that does not sleep'],
  [/^the hypervisor stole/, 'the machine’s CPUs are shared with others: measure on one whose are not'],
  [/^the host was saturated/, 'lower the rate to what it says that the host carries, or measure fewer arms'],
  [/^the generator (lagged|used)/, 'lower the rate or the connections, or leave the generator more CPU'],
  [/requests failed/, 'look at the kinds of errors and at the logs of the hops in `diagnostics`'],
  [/of the asked rate|never sent/, 'lower the rate: this path or host does not carry it'],
]

function rankOf(reason: string): number {
  const rank = remedies.findIndex(([pattern]) => pattern.test(reason))
  return rank < 0 ? remedies.length : rank
}

/** What to do about a reason; undefined for those that speak for themselves. */
export function remedyOf(reason: string): string | undefined {
  return remedies[rankOf(reason)]?.[1]
}
