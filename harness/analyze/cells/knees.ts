/** Searches for knees: which rate a trial of a search gets, and what all of them together tell. Pure. */
import type { Cell, CellAnalysis, Estimate, KneeAnalysis, KneeSearch, KneeTrial, Trial } from '../../model.js'
import { compareKnees, kneeComparisonMethod } from '../../stats/knee/knee-comparison.js'
import { nextKneeStep } from '../../stats/knee/knee.js'
import { settledTrials } from '../../model/attempts.js'
import { level, type PairedResult } from '../estimates.js'
import { latencyMs, type Run } from '../readings.js'
import { defined } from '../../model/defined.js'
import { upperBound } from '../words.js'

/**
 * The rate that the next trial of this cell is to have; undefined when the search is over. Depends on nothing but the
 * cell's trials so far, so that a resumed run goes on as if it had never been cut.
 *
 * Throws when the cell is not searched.
 */
export function nextRate(cell: Cell, trials: readonly Trial[]): number | undefined {
  const { search } = cell
  if (!search) throw new Error(`${cell.id} is not searched`)
  const step = nextKneeStep(kneeTrials(search, trials), search)
  return step.next === undefined ? undefined : readable(step.next, search)
}

/** Three significant digits, which is finer than any search; limits stay what they are. */
function readable(rate: number, { minPerSecond, maxPerSecond }: KneeSearch): number {
  if (rate === minPerSecond || rate === maxPerSecond) return rate
  return Math.min(maxPerSecond, Math.max(minPerSecond, Number(rate.toPrecision(3))))
}

/** Trials that count, in order. What failed or cannot be believed says nothing about a rate. */
function kneeTrials(search: KneeSearch, trials: readonly Trial[]): KneeTrial[] {
  return trials
    .filter(({ state }) => state === 'ok')
    .flatMap((trial): KneeTrial[] => {
      const { load, ratePerSecond, round } = trial
      if (!load || ratePerSecond === undefined) return []
      const latency = latencyMs(trial, 'response', search.percentile)
      const errors = load.sent - load.ok
      const passed = errors === 0 && load.unsent === 0 && latency !== undefined && latency <= search.latencyMs
      const { unsent } = load
      return [{ round, ratePerSecond, passed, ...defined({ latencyMs: latency }), unsent, errors }]
    })
    .sort((a, b) => a.round - b.round)
}

function trialsOf(run: Run, cell: Cell): readonly Trial[] {
  return [...(run.valid.get(cell.id)?.values() ?? [])]
}

/** True when a trial of this search is still to come. */
export function searchGoesOn(run: Run, cell: Cell): boolean {
  const settled = settledTrials(run.trials)
  return (
    run.plan.order.some(({ index, cell: id }) => id === cell.id && !settled.has(index)) &&
    nextRate(cell, trialsOf(run, cell)) !== undefined
  )
}

/** What a searched cell has to show: its knee as `throughput`, and how that was found. */
export function analyzeKnee(
  run: Run,
  cell: Cell,
  search: KneeSearch,
): { readonly throughput: Estimate; readonly knee: KneeAnalysis } {
  const valid = trialsOf(run, cell)
  const trials = kneeTrials(search, valid)
  const knee: Omit<KneeAnalysis, 'end'> = {
    search,
    trials,
    generatorLimited: isGeneratorLimited(run, cell, search, valid),
  }
  const base = { unit: 'req/s', level, n: trials.length, cells: [cell.id] } as const
  const goesOn = searchGoesOn(run, cell)
  // What the trials tell so far, however many were wanted.
  const { estimate } = nextKneeStep(trials, { ...search, maxProbes: Math.max(1, trials.length) })
  if (!estimate)
    return {
      throughput: { ...base, value: 0, low: 0, high: 0, method: 'no valid trial' },
      knee: { ...knee, end: goesOn ? 'unfinished' : 'probes' },
    }
  const { ratePerSecond: value, low, high, method, end } = estimate
  const beyond = end === 'above' || end === 'below' ? { beyond: end } : {}
  return {
    throughput: { ...base, value, low, high, method, ...beyond },
    knee: { ...knee, end: goesOn ? 'unfinished' : end },
  }
}

/** In most of the trials that failed, the generator had used up what it may. */
function isGeneratorLimited(run: Run, cell: Cell, search: KneeSearch, trials: readonly Trial[]): boolean {
  const failed = kneeTrials(search, trials).filter(({ passed }) => !passed)
  const rounds = new Set(failed.map(({ round }) => round))
  const starved = trials.filter(({ round, load }) => {
    if (!rounds.has(round) || !load || load.windowMs <= 0) return false
    const cores = (cell.load.workers ?? 1) * (load.generators ?? 1)
    const share = load.generatorCpuUs / 1000 / load.windowMs / cores
    return share > run.plan.config.validity.maxGeneratorCpuShare
  })
  return failed.length > 0 && starved.length > failed.length / 2
}

/** Two searched cells compared; undefined when one of the knees lies beyond the rates that were tried. */
export function compareSearches(
  run: Run,
  treated: Cell,
  reference: Cell,
): { readonly result: PairedResult; readonly n: number } | undefined {
  const { search } = treated
  if (!search) return undefined
  const [first, second] = [treated, reference].map((cell) => kneeTrials(search, trialsOf(run, cell)))
  if (!first || !second || !isBracketed(first) || !isBracketed(second)) return undefined
  const n = Math.min(first.length, second.length)
  const { difference, ratio, pValue, detectable } = compareKnees(first, second, search)
  const told = { level, n, method: kneeComparisonMethod, cells: [treated.id, reference.id] }
  return {
    result: {
      difference: { ...difference, unit: 'req/s', ...told },
      ratio: { ...ratio, unit: 'ratio', ...told },
      pValue,
      detectable,
    },
    n,
  }
}

function isBracketed(trials: readonly KneeTrial[]): boolean {
  return trials.some(({ passed }) => passed) && trials.some(({ passed }) => !passed)
}

/** Whether two knees lie further apart than both may be off, on a scale of ratios; of those beyond the rates tried, as far as is known. */
export function kneesApart(a: Estimate, b: Estimate): boolean {
  if (a.beyond || b.beyond) return a.low > upperBound(b) || b.low > upperBound(a)
  const [less, more] = a.value < b.value ? [a, b] : [b, a]
  const off = Math.hypot(Math.log(less.high / less.value), Math.log(more.value / more.low))
  return Math.log(more.value / less.value) > off
}

export function kneeWarnings(
  run: Run,
  { cell, arm, knee, experiment, loadLabel, throughput }: CellAnalysis,
  cells: readonly CellAnalysis[],
): string[] {
  if (!knee) return []
  const warnings: string[] = []
  if (knee.generatorLimited)
    warnings.push(
      `${cell}: the generator was out of CPU where trials failed; ${arm} may carry more than its knee says (workers: a second one may help)`,
    )
  if (knee.end === 'unfinished') warnings.push(`${cell}: the search did not come to its end`)
  const twin = run.armOf.get(arm)
  if (twin?.role !== 'twin') return warnings
  const other = cells.find(
    (known) =>
      known.arm === twin.baseline && known.experiment === experiment && known.loadLabel === loadLabel,
  )
  if (other && Math.min(throughput.n, other.throughput.n) > 0 && kneesApart(throughput, other.throughput))
    warnings.push(
      `A/A differs: the knee of the baseline and that of its twin lie apart (${cell}); differences of this size between paths mean nothing in this run.`,
    )
  return warnings
}
