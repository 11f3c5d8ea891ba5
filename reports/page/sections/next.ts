/** One line on what to do with this run's answer, by the first thing that stands in the way of it. */
import type { GateVerdict } from '../../../harness/analyze/gate.js'
import { unmeasured } from '../../../harness/analyze/standings.js'
import { moreRounds } from '../../../harness/analyze/words.js'
import type { Estimate } from '../../../harness/model.js'
import { escapeHtml } from '../clean.js'
import { alone, rank } from '../ranking.js'
import type { View } from '../view.js'
import { pricedFunctions } from './functions.js'
import { checkWords } from './picture.js'

/** HTML of a sentence. */
export function nextStep(view: View, verdicts: readonly GateVerdict[]): string {
  const { analysis } = view
  const missing = unmeasured(analysis)
  const valid = analysis.trials.some(({ state }) => state === 'ok')
  if (!valid)
    return `let <code>npm run meshbench -- doctor</code> check this host, remove the <a href="#not-valid">reasons listed below</a>, and measure again.`
  if (missing.some(({ state }) => state === 'never came up'))
    return `repair what did not come up (its reason is above, its last lines are in the run’s folder under <code>diagnostics</code>); the other arms stand as they are.${thenTie(view)}`
  if (missing.length > 0 && analysis.trials.some(({ state }) => state === 'failed'))
    return `find out why what failed did (<a href="#not-valid">its reasons</a>; its last lines are in the run’s folder under <code>diagnostics</code>), mend it, then go on with <code>--resume</code>.`
  if (missing.length > 0)
    return `<code>--resume</code> goes on with this run; trials that were not valid are <a href="#not-valid">listed with their reasons</a>.`
  if (analysis.noise.some(({ differs }) => differs))
    return 'measure again when nothing else runs on this host; until then believe only what is far beyond the grey band.'
  const worse = verdicts.find(({ state }) => state === 'worse')
  if (worse)
    return `see under <a href="#resources">What does it cost in CPU?</a> which component of ${escapeHtml(view.arm(worse.arm).label)} spends more.`
  const open = nearest(verdicts)
  if (open)
    return `${checkWords(open)}, of ${escapeHtml(view.arm(open.arm).label)}, is the nearest to a decision (<code>--rounds</code>): ${wantedFor(open)}.`
  const tie = priceStep(view) ?? tieStep(view)
  if (tie !== undefined) return tie
  return 'repeat it with your own rate (<code>--rate</code>) before you choose: the order of the paths can turn with load, and absolute figures belong to this host.'
}

const thenTie = (view: View) => {
  const tie = tieStep(view)
  return tie === undefined ? '' : ` Then, ${tie}`
}

/** The dearest function whose price is not told from nothing: the rounds that would tell it. */
function priceStep(view: View): string | undefined {
  const open = pricedFunctions(view).find(
    ({ cpu }) => cpu?.verdict === 'inconclusive' && cpu.difference.value > 0,
  )
  if (!open?.cpu) return undefined
  const { value, low, high, n } = open.cpu.difference
  return `to tell whether ${escapeHtml(open.arm.label)} costs anything (<code>--rounds</code>): ${moreRounds(n, (high - low) / 2, value)}.`
}

/** Where several arms share the first place: the rounds that would part them. */
function tieStep(view: View): string | undefined {
  const ranking = rank(view, 'cpu') ?? rank(view, 'time')
  if (ranking === undefined || ranking.all.length < 2 || alone(ranking.least)) return undefined
  const [first, second] = ranking.least
  const gap = Math.abs((second?.estimate.value ?? 0) - (first?.estimate.value ?? 0))
  const half = Math.max(...ranking.least.slice(0, 2).map(({ estimate: { low, high } }) => (high - low) / 2))
  return `to tell the cheapest apart, if they differ at all (<code>--rounds</code>): ${moreRounds(first?.estimate.n ?? 0, half, gap / 2)}.`
}

type Open = GateVerdict & { readonly ratio: Estimate }

/** What is open and has the least way to go; what more rounds cannot decide is not among it. */
function nearest(verdicts: readonly GateVerdict[]): Open | undefined {
  const isOpen = (verdict: GateVerdict): verdict is Open =>
    verdict.state === 'inconclusive' && verdict.ratio !== undefined && verdict.isOneProcess === undefined
  const way = ({ ratio, check }: Open) => (ratio.high - ratio.low) / check.practical
  return verdicts.filter(isOpen).sort((a, b) => way(a) - way(b))[0]
}

/** Rounds until the interval is as narrow as the band of what is too little to matter. */
function wantedFor({ ratio, check }: Open): string {
  return moreRounds(ratio.n, (ratio.high - ratio.low) / 2, check.practical / 2)
}
