/** Says of every variant whether it is better or worse than its control, the same as far as it matters, or undecided. Pure. */
import { throughput } from '../../scenarios/metrics.js'
import { metrics } from '../../scenarios/registry.js'
import { defined } from '../model/defined.js'
import { pricedBy } from '../model/variants.js'
import { unmeasured, type ArmStanding } from './standings.js'
import { fewestFirm } from './estimates.js'
import { visibleSentence, visibleShare } from './visible.js'
import { asGiven, upperBound, withInterval } from './words.js'
import type { Analysis, Comparison, Estimate, GateCheck, GatePolicy, ThresholdVerdict } from '../model.js'

/** Used where a config says nothing else: what the metrics themselves ask for, the strictest first. */
export const defaultGate: GatePolicy = {
  checks: [...metrics.values()]
    .flatMap(({ id, gate: asked }) => (asked ? [{ metric: id, ...defined(asked) }] : []))
    .sort((a, b) => a.practical - b.practical),
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
  /** Smallest relative change that this run could have seen. */
  readonly visible?: number
  readonly state: GateState
  /** More rounds do not decide it: they are of too few processes. */
  readonly isOneProcess?: true
  readonly sentence: string
}

export interface GateResult {
  readonly policy: GatePolicy
  readonly variants: readonly GateVerdict[]
  readonly thresholds: readonly ThresholdVerdict[]
  /** Arms that were asked for and of which something is missing, which no gate lets pass. */
  readonly failures: readonly ArmStanding[]
  readonly outcome: 'pass' | 'fail' | 'inconclusive'
}

export type Gated = Pick<
  Analysis,
  'config' | 'arms' | 'cells' | 'comparisons' | 'thresholds' | 'failures' | 'trials'
>

/**
 * Judges variants by the interval of their ratio to the control and the practical threshold, and takes the thresholds
 * of the config as they were judged. Functions that a run has a price of are not judged. `policy` replaces the config's.
 */
export function gate(analysis: Gated, policy: GatePolicy = analysis.config.gate ?? defaultGate): GateResult {
  const judged = analysis.arms.filter(
    (arm) => arm.control !== undefined && pricedBy(analysis.config, arm) === undefined,
  )
  const variants = judged.flatMap(({ id, control = '' }) =>
    policy.checks.flatMap((check) => judgeCheck(analysis, id, control, check)),
  )
  const failures = unmeasured(analysis)
  const { thresholds } = analysis
  const failed =
    failures.length > 0 ||
    variants.some(({ state }) => state === 'worse') ||
    thresholds.some((verdict) => fails(verdict, policy))
  const open =
    // Variants of which nothing was compared have not passed.
    (judged.length > 0 && variants.length === 0) ||
    variants.some(({ state }) => state === 'inconclusive') ||
    thresholds.some(({ state }) => state === 'inconclusive' || state === 'no data')
  return { policy, variants, thresholds, failures, outcome: failed ? 'fail' : open ? 'inconclusive' : 'pass' }
}

/**
 * What has no data has not passed, unless the policy says so or an arm that it names was left out of the run on purpose,
 * which a baseline never is.
 */
export const fails = (
  { state, absent = [] }: Pick<ThresholdVerdict, 'state' | 'absent'>,
  { noData }: Pick<GatePolicy, 'noData'>,
): boolean =>
  state === 'fail' ||
  (state === 'no data' && noData !== 'pass' && absent.every((arm) => arm.endsWith('/baseline')))

/** One verdict for each load that has this metric; one that is undecided when none has. */
function judgeCheck(analysis: Gated, arm: string, control: string, check: GateCheck): GateVerdict[] {
  const found = analysis.comparisons.filter(
    (comparison) =>
      comparison.arm === arm &&
      comparison.versus === control &&
      comparison.metric === check.metric &&
      comparison.percentile === check.percentile,
  )
  // A metric that no experiment of this run can tell is not asked for: an open loop has no throughput to compare.
  const told =
    analysis.comparisons.some(
      ({ metric, percentile }) => metric === check.metric && percentile === check.percentile,
    ) ||
    (check.metric === throughput.id && analysis.cells.some((cell) => cell.arm === arm && cell.knee))
  const searched = check.metric === throughput.id ? judgeKnees(analysis, arm, control, check) : []
  if (found.length + searched.length > 0)
    return [...found.map((comparison) => judge(analysis, comparison, check)), ...searched]
  if (!told && analysis.comparisons.length > 0) return []
  const sentence = `${metricText(check)} of ${arm} was not measured against ${control}: inconclusive.`
  return [{ arm, control, check, experiment: '', loadLabel: '', state: 'inconclusive', sentence }]
}

/** Knees of which one lies beyond the rates that were tried have no ratio; what is known of both may still decide. */
function judgeKnees(analysis: Gated, arm: string, control: string, check: GateCheck): GateVerdict[] {
  return analysis.cells.flatMap((cell): GateVerdict[] => {
    const { experiment, loadLabel, throughput: own } = cell
    const other = analysis.cells.find(
      (candidate) =>
        candidate.arm === control && candidate.experiment === experiment && candidate.loadLabel === loadLabel,
    )?.throughput
    if (cell.arm !== arm || !cell.knee || !other || own.n === 0 || other.n === 0) return []
    if (!own.beyond && !other.beyond) return []
    const bounds = { low: own.low / upperBound(other), high: upperBound(own) / other.low }
    const state = stateOf({ ...bounds, n: Math.min(own.n, other.n) }, check)
    const sentence = `${metricText(check)} of ${arm} (${experiment}, ${loadLabel}) is ${withInterval(own)}, that of ${control} is ${withInterval(other)}: ${wordsOf(state, check)}.`
    return [{ arm, control, check, experiment, loadLabel, state, sentence }]
  })
}

function wordsOf(state: GateState, { practical }: GateCheck): string {
  const percent = asGiven(practical * 100)
  return {
    worse: `worse by more than ${percent} %`,
    better: `better by more than ${percent} %`,
    same: `no change of ${percent} % or more`,
    inconclusive: `inconclusive, the interval does not tell a change of ${percent} %`,
  }[state]
}

function judge(analysis: Gated, comparison: Comparison, check: GateCheck): GateVerdict {
  const { arm, versus, experiment, loadLabel, ratio } = comparison
  const alone = isOneProcess(comparison)
  const state = alone ? 'inconclusive' : stateOf(ratio, check)
  const words = alone
    ? `inconclusive, as rounds of ${comparison.lives === 1 ? 'one process' : `${comparison.lives} processes`} are no independent samples`
    : wordsOf(state, check)
  const visible = visibleShare(analysis, comparison)
  const what = `${metricText(check)} of ${arm} (${experiment}, ${loadLabel})`
  const found =
    ratio.n === 0
      ? { sentence: `${what} has no ratio to that of ${versus}, which is zero: inconclusive.` }
      : {
          ratio,
          sentence: `${what} is ${withInterval(ratio, '')} times that of ${versus}: ${words}.${visibleSentence(visible, 'ratio')}`,
        }
  return {
    arm,
    control: versus,
    check,
    experiment,
    loadLabel,
    ...defined({ visible, isOneProcess: alone || undefined }),
    state,
    ...found,
  }
}

/** Rounds of one process are no independent samples of what it uses, nor are those of two. */
export const isOneProcess = ({ lives = fewestFirm }: Pick<Comparison, 'lives'>) => lives < fewestFirm

/** Of a ratio, by what is too little to matter; few rounds decide nothing. */
export function stateOf(
  { low, high, n }: Pick<Estimate, 'low' | 'high' | 'n'>,
  { metric, practical }: Pick<GateCheck, 'metric' | 'practical'>,
): GateState {
  if (n < fewestFirm) return 'inconclusive'
  const more = metrics.get(metric)?.better === 'more'
  if (low > 1 + practical) return more ? 'better' : 'worse'
  if (high < 1 - practical) return more ? 'worse' : 'better'
  return low >= 1 - practical && high <= 1 + practical ? 'same' : 'inconclusive'
}

export function metricText({ metric, percentile }: Pick<GateCheck, 'metric' | 'percentile'>): string {
  return percentile === undefined ? metric : `${metric} p${percentile}`
}
