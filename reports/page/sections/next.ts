/** One line on what to do with this run's answer, by the first thing that stands in the way of it. */
import type { GateVerdict } from '../../../harness/analyze/gate.js'
import { unmeasured } from '../../../harness/analyze/standings.js'
import { moreRounds } from '../../../harness/analyze/words.js'
import { escapeHtml } from '../clean.js'
import { alone, rank } from '../ranking.js'
import type { View } from '../view.js'

/** HTML of a sentence. */
export function nextStep(view: View, verdicts: readonly GateVerdict[]): string {
  const { analysis } = view
  const missing = unmeasured(analysis)
  const valid = analysis.trials.some(({ state }) => state === 'ok')
  if (!valid)
    return `let <code>npm run meshbench -- doctor</code> check this host, remove the <a href="#not-valid">reasons listed below</a>, and measure again.`
  if (missing.some(({ state }) => state === 'never came up'))
    return `repair what did not come up (its reason is above, its last lines are in the run’s folder under <code>diagnostics</code>); the other arms stand as they are.`
  if (missing.length > 0 && analysis.trials.some(({ state }) => state === 'failed'))
    return `find out why what failed did (<a href="#not-valid">its reasons</a>; its last lines are in the run’s folder under <code>diagnostics</code>), mend it, then go on with <code>--resume</code>.`
  if (missing.length > 0)
    return `<code>--resume</code> goes on with this run; trials that were not valid are <a href="#not-valid">listed with their reasons</a>.`
  if (analysis.noise.some(({ differs }) => differs))
    return 'measure again when nothing else runs on this host; until then believe only what is far beyond the grey band.'
  const worse = verdicts.find(({ state }) => state === 'worse')
  if (worse)
    return `see in <a href="#resources">the bill</a> which component of ${escapeHtml(view.arm(worse.arm).label)} spends more.`
  const open = verdicts.find(({ state, ratio }) => state === 'inconclusive' && ratio !== undefined)
  if (open?.ratio) {
    const half = (open.ratio.high - open.ratio.low) / 2
    return `what would decide it (<code>--rounds</code>): ${moreRounds(open.ratio.n, half, open.check.practical / 2)}.`
  }
  const ranking = rank(view, 'cpu') ?? rank(view, 'time')
  if (ranking && ranking.all.length > 1 && !alone(ranking.least)) {
    const [first, second] = ranking.least
    const gap = Math.abs((second?.estimate.value ?? 0) - (first?.estimate.value ?? 0))
    const half = Math.max(...ranking.least.slice(0, 2).map(({ estimate: { low, high } }) => (high - low) / 2))
    return `${moreRounds(first?.estimate.n ?? 0, half, gap / 2)} would tell the cheapest apart, if they differ at all (<code>--rounds</code>).`
  }
  return 'repeat it with your own rate (<code>--rate</code>) before you choose: the order of the paths can turn with load, and absolute figures belong to this host.'
}
