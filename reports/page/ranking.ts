/** Which arms are cheapest and dearest as far as intervals tell: what is not told apart shares its place. */
import { negated } from '../../harness/analyze/words.js'
import { hasProtectedLegs } from '../../harness/model/paths.js'
import type { Estimate } from '../../harness/model.js'
import { plural } from '../formats/format.js'
import { cpuMetrics, latencyMetrics, type ArmView, type View } from './view.js'

export interface Ranked {
  readonly arm: ArmView
  /** What the arm adds to its baseline. */
  readonly estimate: Estimate
  readonly metric: string
}

export interface Ranking {
  readonly what: 'time' | 'cpu'
  /** By what the arms add, the least first. */
  readonly all: readonly Ranked[]
  /** The arm that adds least, and those that the run cannot tell from it. */
  readonly least: readonly Ranked[]
  readonly most: readonly Ranked[]
  /** What the second adds beyond the first; undefined where the two were not compared with each other. */
  readonly lead: { readonly second: Ranked; readonly estimate: Estimate } | undefined
}

/** Undefined when nothing was compared. `time` is at the median, `cpu` per 1 000 requests. */
export function rank(view: View, what: 'time' | 'cpu'): Ranking | undefined {
  const [metrics, options] = what === 'time' ? [latencyMetrics, { percentile: 50 }] : [cpuMetrics, {}]
  const all = view.subjects
    .flatMap((arm): Ranked[] => {
      const found = view.compare(arm.id, metrics, options)
      return found && found.difference.n > 0
        ? [{ arm, estimate: found.difference, metric: found.metric }]
        : []
    })
    .sort((a, b) => a.estimate.value - b.estimate.value)
  const [first, last] = [all[0], all.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const direct = (a: Ranked, b: Ranked) => view.compare(a.arm.id, metrics, { ...options, versus: b.arm.id })
  const apart = (a: Ranked, b: Ranked) => {
    // Paired within rounds where the two were compared; else only when their intervals do not meet.
    const paired = direct(a, b) ?? direct(b, a)
    return paired
      ? paired.verdict !== 'inconclusive'
      : a.estimate.high < b.estimate.low || b.estimate.high < a.estimate.low
  }
  const [ahead, behind] = all[1] ? [direct(all[1], first), direct(first, all[1])] : []
  const lead = ahead?.difference ?? (behind && negated(behind.difference))
  return {
    what,
    all,
    least: all.filter((ranked) => ranked === first || !apart(first, ranked)),
    most: all.filter((ranked) => ranked === last || !apart(last, ranked)),
    lead: all[1] && lead && { second: all[1], estimate: lead },
  }
}

/** The arm that stands alone at an end of the ranking; undefined where several share the place. */
export function alone(place: readonly Ranked[] | undefined): Ranked | undefined {
  return place?.length === 1 ? place[0] : undefined
}

/** `A`, `A and B`, `A, B and C`. */
export function listOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`
}

/** `L7 per node does not encrypt`: paths that do, do more. Undefined where all arms do, or none. */
export function notEncrypting(arms: readonly ArmView[]): string | undefined {
  const plain = arms.filter(({ path }) => !hasProtectedLegs(path))
  if (plain.length === 0 || plain.length === arms.length) return undefined
  const names = [...new Set(plain.map(({ label }) => label))]
  const who = names.length > 3 ? plural(names.length, 'arm') : listOf(names)
  return `${who} ${names.length === 1 ? 'does' : 'do'} not encrypt`
}
