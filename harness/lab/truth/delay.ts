/** A server that answers later by d: the median rises by d. */
import { percentileUs } from '../../load/histogram.js'
import { withAwakeCores } from '../../process/awake.js'
import { type Answer, isKnown, located, tolerance } from './check.js'
import type { Rig } from './rig.js'

const delaysMs = [0.2, 1, 5]
/** More pairs are measured while the rise is not known to half of what it may be off. */
const pairs = { least: 10, most: 20 }
const spec = { ratePerSecond: 500, warmupMs: 300, durationMs: 1200 }

export async function checkDelay(rig: Rig): Promise<Answer[]> {
  return withAwakeCores(() => measureDelays(rig))
}

async function measureDelays(rig: Rig): Promise<Answer[]> {
  const plain = await rig.echo()
  const answers: Answer[] = []
  for (const delayMs of delaysMs) {
    const late = await rig.echo({ delayMs })
    const rises: number[] = []
    // Alternated, so that a host that drifts does so for both.
    const allowed = tolerance(delayMs, 0.05, 0.03)
    while (rises.length < pairs.least || (rises.length < pairs.most && !isKnown(rises, allowed / 2))) {
      const pair: number[] = []
      for (const server of rises.length % 2 === 0 ? [plain, late] : [late, plain]) {
        const { result } = await rig.load('open-loop', spec, server)
        const p50 = result.response ? percentileUs(result.response, 50) / 1000 : Number.NaN
        pair[server === plain ? 0 : 1] = p50
      }
      rises.push((pair[1] as number) - (pair[0] as number))
    }
    await late.kill()
    answers.push({
      check: 'delay',
      what: `${delayMs} ms at the server: rise of p50, ${rises.length} pairs`,
      unit: 'ms',
      expected: delayMs,
      measured: located(rises).value,
      tolerance: allowed,
    })
  }
  await plain.kill()
  return answers
}
