/** Sets two runs side by side: what differs in config, versions and host, and what became of the numbers. Pure. */
import { probit } from 'simple-statistics'
import { fewestFirm, power } from '../../harness/analyze/estimates.js'
import { isOneProcess, stateOf, type GateState } from '../../harness/analyze/gate.js'
import { changedVariables } from '../../harness/model/journal.js'
import { defined } from '../../harness/model/defined.js'
import type { Analysis, Comparison, Estimate } from '../../harness/model.js'
import { metrics } from '../../scenarios/registry.js'
import { plural } from '../formats/format.js'

interface RunDifference {
  readonly what: string
  readonly a: string
  readonly b: string
}

export interface PairedFigure {
  readonly comparison: Comparison
  readonly a: Estimate
  readonly b: Estimate
  /** The second ratio to the first, its interval from both: rounds of two runs are not paired. */
  readonly change: Estimate
  /** What is too little to matter, as a share. */
  readonly practical: number
  /** Smallest change that these two runs could have seen, as a share. */
  readonly visible?: number
  readonly state: GateState
}

/** Compares two analyses. Objections are reported, not thrown: the caller decides whether it was told to go on. */
export function compareRuns(a: Analysis, b: Analysis) {
  const objections: string[] = []
  if (a.host.hostKey !== b.host.hostKey)
    objections.push(
      `They ran on different hosts (${hostText(a)}; ${hostText(b)}): absolute figures are not comparable, and ratios hardly.`,
    )
  if (a.planHash !== b.planHash && !measureTheSame(a, b))
    objections.push(
      `They followed different plans (${a.planHash.slice(0, 12)}; ${b.planHash.slice(0, 12)}): ${changedConfig(a, b)}.`,
    )
  const variables = changedVariables(a.host, b.host)
  if (variables.length > 0)
    objections.push(`Their hops inherited other variables of the environment: ${variables.join('; ')}.`)
  const ids = (analysis: Analysis) => new Set(analysis.arms.map((arm) => arm.id))
  const [inA, inB] = [ids(a), ids(b)]
  const later = new Map(b.comparisons.map((comparison) => [comparison.id, comparison]))
  return {
    /** Why these two must not be compared; empty when they may. */
    objections,
    differences: differencesOf(a, b),
    figures: a.comparisons.flatMap((comparison): PairedFigure[] => {
      const other = later.get(comparison.id)
      if (other === undefined) return []
      const [first, second] = [comparison.ratio, other.ratio]
      const isFirm = Math.min(first.n, second.n) >= fewestFirm && ![comparison, other].some(isOneProcess)
      const change = changeOf(first, second)
      const practical = metrics.get(comparison.metric)?.gate?.practical ?? usualPractical
      return [
        {
          comparison,
          a: first,
          b: second,
          change,
          practical,
          ...defined({ visible: isFirm ? visibleOf(change) : undefined }),
          state: isFirm ? stateOf(change, { metric: comparison.metric, practical }) : 'inconclusive',
        },
      ]
    }),
    /** Arms that only one of them has. */
    onlyA: [...inA].filter((id) => !inB.has(id)),
    onlyB: [...inB].filter((id) => !inA.has(id)),
  }
}

function hostText({ host }: Analysis): string {
  return `${host.cpuModel}, ${host.cpus} CPUs, key ${host.hostKey.slice(0, 12)}`
}

function changedConfig(a: Analysis, b: Analysis): string {
  const changed = differencesOf(a, b)
    .map(({ what }) => what)
    .filter((what) => what.startsWith('config.'))
  return changed.length === 0
    ? 'arms or the order of trials differ'
    : `${few(changed, 4)} ${changed.length === 1 ? 'differs' : 'differ'}`
}

function differencesOf(a: Analysis, b: Analysis): RunDifference[] {
  const facts = (analysis: Analysis): Record<string, string> => ({
    ...flatten('config', analysis.config),
    ...flatten('host', analysis.host),
    ...Object.fromEntries(analysis.facts.map((fact) => [`fact.${fact.name}`, fact.value])),
    version: analysis.version,
    plan: analysis.planHash,
    outcome: analysis.outcome,
    rounds: `${analysis.rounds.done} of ${analysis.rounds.planned}`,
  })
  const [first, second] = [facts(a), facts(b)]
  return [...new Set([...Object.keys(first), ...Object.keys(second)])]
    .filter((key) => first[key] !== second[key] && key !== 'host.loadAverage1m' && key !== 'config.outDir')
    .map((what) => ({ what, a: shown(first[what]), b: shown(second[what]) }))
}

/** Of a digest as much as tells it from another: two whole ones lead a table out of the page. */
function shown(value = '–'): string {
  return value.replace(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, '$1')
}

/** `{ a: { b: 1 } }` as `{ 'prefix.a.b': '1' }`. */
function flatten(prefix: string, value: unknown): Record<string, string> {
  if (value === null || typeof value !== 'object') return { [prefix]: String(value) }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => Object.entries(flatten(`${prefix}.${key}`, inner))),
  )
}

/** Another seed is another order of the same trials, and prices and fleets are told of what was measured: no reasons not to compare. */
function measureTheSame(a: Analysis, b: Analysis): boolean {
  const arms = (analysis: Analysis) => JSON.stringify(analysis.arms.map(({ id }) => id).sort())
  const told = ({ config: { seed, cost } }: Analysis) => JSON.stringify({ seed, cost })
  const measured = ({ config: { seed: _seed, cost: _cost, outDir: _outDir, ...rest } }: Analysis) =>
    JSON.stringify(rest)
  return told(a) !== told(b) && arms(a) === arms(b) && measured(a) === measured(b)
}

/** The ratio of two independent ratios: on the log scale the half-widths add up in squares. */
function changeOf(a: Estimate, b: Estimate): Estimate {
  const positive = [a, b].every(({ value, low, high }) => value > 0 && low > 0 && high > 0)
  const value = a.value > 0 ? b.value / a.value : Number.NaN
  const side = (rising: Estimate, falling: Estimate) =>
    Math.hypot(Math.log(rising.high / rising.value), Math.log(falling.value / falling.low))
  return {
    value,
    low: positive ? value * Math.exp(-side(a, b)) : -Infinity,
    high: positive ? value * Math.exp(side(b, a)) : Infinity,
    unit: 'ratio',
    level: Math.min(a.level, b.level),
    n: Math.min(a.n, b.n),
    method: 'ratio of two independent ratios, half-widths added in squares on the log scale',
    cells: [...a.cells, ...b.cells],
  }
}

/** Found with 80 % power: beyond half of the interval by as much as the normal distribution asks for. */
function visibleOf({ value, low, high }: Estimate): number | undefined {
  const half = Math.max(Math.log(high / value), Math.log(value / low))
  return Number.isFinite(half) ? Math.expm1(half * (1 + probit(power) / probit(0.975))) : undefined
}

const usualPractical = 0.1

export function comparisonHeadline(figures: readonly PairedFigure[]): string {
  if (figures.length === 0) return 'The two runs have nothing in common to compare'
  const count = (state: GateState) => figures.filter((figure) => figure.state === state).length
  const [worse, better, open] = [count('worse'), count('better'), count('inconclusive')]
  const [all, are] = [figures.length, open === 1 ? 'is' : 'are']
  if (worse + better > 0)
    return `Of ${plural(all, 'ratio')}, ${worse} became worse and ${better} better by more than matters; ${open} ${are} not decided`
  if (open > 0) return `No ratio changed by more than matters; ${open} of ${all} ${are} not decided`
  return all === 1
    ? 'The one ratio is the same as far as it matters'
    : `All ${plural(all, 'ratio')} are the same as far as it matters`
}

/** What a run compares: `reference/l4-only under latency (1000/s c16 1024B http1)`, or why it compares nothing. */
export function comparedText({ comparisons, trials }: Analysis): string {
  if (comparisons.length > 0) return `${few(armsIn(comparisons))} under ${few(loadsIn(comparisons))}`
  if (trials.length === 0) return 'nothing: it has no trial'
  const valid = trials.filter(({ state }) => state === 'ok').length
  return valid === 0
    ? `nothing: none of its ${trials.length} trials is valid`
    : 'nothing: no two of its arms were measured under the same load'
}

/** What two runs that share no comparison have to be given to share one. */
export function remedyOf(a: Analysis, b: Analysis): string {
  const empty = [a, b].find(({ comparisons }) => comparisons.length === 0)
  if (empty)
    return `the report of ${empty.runId} says why; measure it again, with two arms or more beside each other`
  const share = (of: (comparisons: readonly Comparison[]) => readonly string[]) =>
    of(a.comparisons).some((name) => of(b.comparisons).includes(name))
  const missing = [...(share(armsIn) ? [] : ['arm']), ...(share(loadsIn) ? [] : ['load'])]
  const what =
    missing.length === 0
      ? 'no arm under the same load against the same other'
      : `no ${missing.join(' and no ')}`
  return `they share ${what}: measure both with the same --mesh, --arm, --experiment and --rate`
}

const armsIn = (comparisons: readonly Comparison[]) => [...new Set(comparisons.map(({ arm }) => arm))]
const loadsIn = (comparisons: readonly Comparison[]) => [
  ...new Set(comparisons.map(({ experiment, loadLabel }) => `${experiment} (${loadLabel})`)),
]

function few(names: readonly string[], most = 6): string {
  const more = names.length - most
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** What a person looks for first: host, versions, plan and what the hops are made of. */
export function isMain({ what }: RunDifference): boolean {
  return (
    ['version', 'plan', 'outcome', 'rounds'].includes(what) ||
    /^host\.(hostKey|cpuModel|cpus|kernel|node|bundles)/.test(what) ||
    /^config\.(arms|experiments|variants|platform|profile|seed)/.test(what) ||
    what.startsWith('fact.')
  )
}
