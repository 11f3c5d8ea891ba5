/** Says of every variant whether it is better or worse than its control, the same as far as it matters, or undecided. Pure. */
import { higherIsBetter } from './analyze/comparisons.js'
import { figure, withInterval } from './analyze/words.js'
import type { Analysis, Comparison, Estimate, GateCheck, GatePolicy, ThresholdVerdict } from './model.js'

/** Used where a config says nothing else. Tails are noisy: a percentile beyond the median has to be asked for. */
export const defaultGate: GatePolicy = {
  checks: [
    { metric: 'cpu.per1000Requests', practical: 0.05 },
    { metric: 'latency.response', percentile: 50, practical: 0.1 },
    { metric: 'memory.rss', practical: 0.1 },
    { metric: 'throughput', practical: 0.1 },
  ],
  inconclusive: 'pass',
}

/** `same`: the interval lies within the practical threshold on both sides, which two equal builds reach with enough rounds. */
export type GateState = 'better' | 'worse' | 'same' | 'inconclusive'

export interface GateVerdict {
  readonly arm: string
  readonly control: string
  readonly check: GateCheck
  readonly experiment: string
  readonly loadLabel: string
  /** Variant to control, paired by round; absent when nothing was measured. */
  readonly ratio?: Estimate
  readonly state: GateState
  readonly sentence: string
}

export interface GateResult {
  readonly policy: GatePolicy
  readonly variants: readonly GateVerdict[]
  readonly thresholds: readonly ThresholdVerdict[]
  /** Variants and arms that did not come up, which no gate may let pass. */
  readonly failures: readonly { readonly arm: string; readonly message: string }[]
  readonly outcome: 'pass' | 'fail' | 'inconclusive'
}

/** What a gate needs of an analysis. */
export type Gated = Pick<Analysis, 'config' | 'arms' | 'cells' | 'comparisons' | 'thresholds' | 'failures'>

/**
 * Judges variants by the interval of their ratio to the control and the practical threshold, and takes the thresholds
 * of the config as they were judged. `policy` replaces the config's.
 */
export function gate(analysis: Gated, policy: GatePolicy = analysis.config.gate ?? defaultGate): GateResult {
  const judged = analysis.arms.filter(({ control }) => control !== undefined)
  const variants = judged.flatMap(({ id, control = '' }) =>
    policy.checks.flatMap((check) => judgeCheck(analysis, id, control, check)),
  )
  const gatedArms = new Set(judged.flatMap(({ id, control = '' }) => [id, control]))
  const failures = Object.entries(analysis.failures)
    .filter(([arm]) => gatedArms.has(arm))
    .map(([arm, { message }]) => ({ arm, message }))
  const { thresholds } = analysis
  const failed =
    failures.length > 0 ||
    variants.some(({ state }) => state === 'worse') ||
    thresholds.some(({ state }) => state === 'fail')
  const open =
    // Variants of which nothing was compared have not passed.
    (judged.length > 0 && variants.length === 0) ||
    variants.some(({ state }) => state === 'inconclusive') ||
    thresholds.some(({ state }) => state === 'inconclusive' || state === 'no data')
  return { policy, variants, thresholds, failures, outcome: failed ? 'fail' : open ? 'inconclusive' : 'pass' }
}

/** One verdict for each load that has this metric; one that is undecided when none has. */
function judgeCheck(analysis: Gated, arm: string, control: string, check: GateCheck): GateVerdict[] {
  const found = analysis.comparisons.filter(
    (one) =>
      one.arm === arm &&
      one.versus === control &&
      one.metric === check.metric &&
      one.percentile === check.percentile,
  )
  // A metric that no experiment of this run can tell is not asked for: an open loop has no throughput to compare.
  const told = analysis.comparisons.some(
    ({ metric, percentile }) => metric === check.metric && percentile === check.percentile,
  )
  if (found.length === 0 && !told && analysis.comparisons.length > 0) return []
  if (found.length > 0) return found.map((comparison) => judge(comparison, check))
  const sentence = `${metricText(check)} of ${arm} was not measured against ${control}: inconclusive.`
  return [{ arm, control, check, experiment: '', loadLabel: '', state: 'inconclusive', sentence }]
}

function judge({ arm, versus, experiment, loadLabel, ratio }: Comparison, check: GateCheck): GateVerdict {
  const state = stateOf(ratio, check)
  const percent = figure(check.practical * 100)
  const words: Record<GateState, string> = {
    worse: `worse by more than ${percent} %`,
    better: `better by more than ${percent} %`,
    same: `no change of ${percent} % or more`,
    inconclusive: `inconclusive, the interval does not tell a change of ${percent} %`,
  }
  const measured = ratio.n < 2 ? `${figure(ratio.value)} from one round` : withInterval(ratio, '')
  return {
    arm,
    control: versus,
    check,
    experiment,
    loadLabel,
    ratio,
    state,
    sentence: `${metricText(check)} of ${arm} (${experiment}, ${loadLabel}) is ${measured} times that of ${versus}: ${words[state]}.`,
  }
}

/** One round decides nothing. */
function stateOf({ low, high, n }: Estimate, { metric, practical }: GateCheck): GateState {
  if (n < 2) return 'inconclusive'
  const more = higherIsBetter(metric)
  if (low > 1 + practical) return more ? 'better' : 'worse'
  if (high < 1 - practical) return more ? 'worse' : 'better'
  return low >= 1 - practical && high <= 1 + practical ? 'same' : 'inconclusive'
}

export function metricText({ metric, percentile }: Pick<GateCheck, 'metric' | 'percentile'>): string {
  return percentile === undefined ? metric : `${metric} p${percentile}`
}
