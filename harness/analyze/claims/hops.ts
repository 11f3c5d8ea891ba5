/** Rules of the claims on what hops of L7 and of L4 cost: C1, C2, C3. */
import { cpu as cpuMetric, responseTime } from '../../../scenarios/metrics.js'
import type { Estimate, ReadMetric } from '../../model.js'
import { alpha, fewestFirm, type PairedResult } from '../estimates.js'
import { figure, negated, withInterval } from '../words.js'
import { concluded, couldSee, nextOf } from './finding.js'
import { addedBy, byMeter, isApart, less, scaled, setting, type Weights } from './meter.js'

const l4l7l4: Weights = { 'l4-l7-l4': 1 }
const l7l7: Weights = { 'l7-sidecar-to-sidecar': 1 }

/** Which way a pair lies, by its adjusted p-value. */
function direction(result: PairedResult, pValue: number): 'less' | 'more' | 'open' {
  if (pValue > alpha || result.difference.n < fewestFirm) return 'open'
  return result.difference.value < 0 ? 'less' : 'more'
}

/**
 * C1, and its break-even.
 *
 * Let the added CPU be A for L4-L7-L4 and B for L7-L7, so that one L7 hop costs s = B / 2. Everything of L4-L7-L4 but
 * its one L7 hop (two tunnels, a second HBONE leg) then costs E = A − s. Were the L7 hop's own work x instead of s, the
 * two paths would cost E + x and 2x: L4-L7-L4 is the cheaper one where x > E. E is the break-even; at x = s this says
 * A < B, as it must. ms per 1 000 requests are µs per request.
 */
export const judgeC1 = byMeter((meter) => {
  if (!meter.has('l4-l7-l4', 'l7-sidecar-to-sidecar')) return undefined
  const cpu = meter.compare(cpuMetric, l4l7l4, l7l7)
  const latency = meter.compare(responseTime, l4l7l4, l7l7)
  if (latency.difference.n === 0) return undefined
  const hasCpu = cpu.difference.n > 0
  const breakEven = meter.estimate(cpuMetric, {
    'l4-l7-l4': 1,
    'l7-sidecar-to-sidecar': -0.5,
    baseline: -0.5,
  })
  const hop = meter.estimate(cpuMetric, scaled(addedBy('l7-sidecar-to-sidecar'), 0.5))
  const hasBreakEven = hasCpu && meter.has('baseline') && breakEven.n > 0
  return {
    pValues: hasCpu ? [cpu.pValue, latency.pValue] : [latency.pValue],
    conclude(adjusted) {
      const byLatency = direction(latency, adjusted.at(-1) ?? 1)
      const byCpu = hasCpu ? direction(cpu, adjusted[0] ?? 1) : byLatency
      const mixed = (byCpu === 'less' && byLatency === 'more') || (byCpu === 'more' && byLatency === 'less')
      const verdict = mixed || byCpu === 'open' ? 'inconclusive' : byCpu === 'less' ? 'supported' : 'refuted'
      const sentences = [
        `${setting(meter.context)} ${hasCpu ? cpuWords(cpu, byCpu, isApart(meter.context) ? 'added' : 'used', adjusted[0] ?? 1) : 'CPU was not measured'}`,
        medianWords(latency, byLatency, adjusted.at(-1) ?? 1),
        ...(hasBreakEven
          ? [
              `L4-L7-L4 is the cheaper one where an L7 hop costs more than ${withInterval(breakEven, 'µs')} of CPU a request; here one costs ${withInterval(hop, 'µs')}`,
            ]
          : []),
      ]
      return concluded(
        verdict,
        `${sentences.join('; ')}.${couldSee(hasCpu ? cpu : latency, hasCpu ? 'ms of CPU per 1 000 requests' : 'ms')}`,
        [
          ['CPU of L4-L7-L4 to that of L7-L7', hasCpu ? cpu.ratio : undefined],
          ['CPU of L4-L7-L4 less that of L7-L7, ms per 1 000 requests', hasCpu ? cpu.difference : undefined],
          ['median response time of L4-L7-L4 less that of L7-L7', latency.difference],
          ['break-even: CPU per L7 hop and request', hasBreakEven ? perRequest(breakEven) : undefined],
          ['CPU per L7 hop and request here', hasBreakEven ? perRequest(hop) : undefined],
        ],
        mixed
          ? 'CPU and latency point in opposite ways: which one counts is yours to say'
          : nextOf([cpu.difference]),
      )
    },
  }
})

type Way = ReturnType<typeof direction>

function cpuWords(result: PairedResult, way: Way, verb: 'added' | 'used', pValue: number): string {
  const { ratio, difference } = result
  const figures = `ratio ${withInterval(ratio, '')}, difference ${withInterval(difference, 'ms per 1 000 requests')}`
  return way === 'open'
    ? `the CPU of L4-L7-L4 and that of L7-L7 cannot be told apart${whyOpen(result, pValue)}: ${figures}`
    : `L4-L7-L4 ${verb} ${way} CPU than L7-L7: ${figures}`
}

function medianWords(result: PairedResult, way: Way, pValue: number): string {
  const { difference } = result
  return way === 'open'
    ? `their median response times cannot be told apart${whyOpen(result, pValue)}: difference ${withInterval(difference, 'ms')}`
    : `its median response time was ${way === 'less' ? 'lower' : 'higher'} by ${withInterval(way === 'less' ? negated(difference) : difference, 'ms')}`
}

/** What keeps a pair open although an interval beside it leaves out zero, or one; empty where none does. */
function whyOpen({ difference, ratio, pValue: own }: PairedResult, pValue: number): string {
  const isOff = difference.low > 0 || difference.high < 0 || ratio.low > 1 || ratio.high < 1
  if (!isOff) return ''
  if (difference.n < fewestFirm) return ' by so few rounds'
  return own <= alpha
    ? ` once corrected for all tests of the claims (Holm, p = ${figure(pValue)}; each interval is for itself)`
    : ' by ratio and difference alike'
}

/** “Much cheaper” is taken as: adds at most half. */
const muchCheaper = 0.5

export const judgeC2 = byMeter((meter) => {
  const others = (['l7-sidecar-to-sidecar', 'l4-l7-l4'] as const).filter((path) => meter.has(path))
  if (!meter.has('l4-only', 'baseline') || others.length === 0) return undefined
  const metric: ReadMetric = meter.estimate(cpuMetric, addedBy('l4-only')).n > 0 ? cpuMetric : responseTime
  const what = metric === responseTime ? 'median latency' : 'CPU'
  const labels = { 'l7-sidecar-to-sidecar': 'L7-L7', 'l4-l7-l4': 'L4-L7-L4' }
  const parts = others.map((path) => ({
    label: labels[path],
    shares: meter.compare(metric, addedBy('l4-only'), addedBy(path)),
    // Below zero where L4-only adds less than half of what the other adds.
    half: meter.compare(metric, addedBy('l4-only'), scaled(addedBy(path), muchCheaper)),
    p: meter.p(metric, { 'l4-only': 1, baseline: -1 + muchCheaper, [path]: -muchCheaper }),
  }))
  const [first] = parts
  if (!first || parts.some(({ half }) => half.difference.n === 0)) return undefined
  const latency = meter.estimate(responseTime, addedBy('l4-only'))
  return {
    pValues: parts.map(({ p }) => p),
    conclude(adjusted) {
      const ways = parts.map(({ half }, index) => direction(half, adjusted[index] ?? 1))
      const verdict = ways.every((way) => way === 'less')
        ? 'supported'
        : ways.includes('more')
          ? 'refuted'
          : 'inconclusive'
      const shares = parts.map(
        ({ label, shares }) => `${withInterval(shares.ratio, 'times')} what ${label} added`,
      )
      return concluded(
        verdict,
        `${setting(meter.context)} L4-only added ${shares.join(' and ')} in ${what}, and ${withInterval(latency, 'ms')} at the median; “much cheaper” is read as at most half${verdict === 'inconclusive' ? openParts(parts, adjusted) : ''}.${couldSee(first.half, metric === responseTime ? 'ms' : 'ms of CPU per 1 000 requests')}`,
        parts.map(({ label, shares }) => [`added ${what} of L4-only to that of ${label}`, shares.ratio]),
        nextOf(parts.map(({ half }) => half.difference)),
      )
    },
  }
})

/** Of parts whose own test would decide, and which the correction leaves open. */
function openParts(
  parts: readonly { readonly label: string; readonly p: number }[],
  adjusted: readonly number[],
): string {
  const open = parts.flatMap(({ label, p }, index) => {
    const corrected = adjusted[index] ?? 1
    return p <= alpha && corrected > alpha ? `p = ${figure(corrected)} against ${label}` : []
  })
  return open.length === 0
    ? ''
    : `, which is not told once corrected for all tests of the claims (Holm, ${open.join(', ')})`
}

/** “The expensive part” is taken as: half as much again as an L4 hop, or more. Nearer than that, L4 is not cheap beside it. */
const expensive = 1.5

export const judgeC3 = byMeter((meter) => {
  const l7Path = (['l7-per-node', 'l7-sidecar-to-sidecar'] as const).find((path) => meter.has(path))
  if (!meter.has('l4-only', 'baseline') || !l7Path) return undefined
  const l4Hop = scaled(addedBy('l4-only'), 0.5)
  const l7Hop = scaled(addedBy(l7Path), l7Path === 'l7-per-node' ? 1 : 0.5)
  const hasCpu = meter.compare(cpuMetric, l7Hop, l4Hop).difference.n > 0
  const metric: ReadMetric = hasCpu ? cpuMetric : responseTime
  const shares = meter.compare(metric, l7Hop, l4Hop)
  // Above zero where an L7 hop is the expensive part.
  const limit = meter.compare(metric, l7Hop, scaled(l4Hop, expensive))
  if (shares.difference.n === 0) return undefined
  const [unit, what, named] = hasCpu
    ? ['µs', 'of CPU a request', 'CPU per request']
    : ['ms', 'at the median', 'median response time']
  const perHop = {
    l4: meter.estimate(metric, l4Hop),
    l7: meter.estimate(metric, l7Hop),
  }
  const times = {
    l4: meter.estimate(responseTime, l4Hop),
    l7: meter.estimate(responseTime, l7Hop),
  }
  return {
    pValues: [meter.p(metric, less(l7Hop, scaled(l4Hop, expensive)))],
    conclude([pValue = 1]) {
      const which = direction(limit, pValue)
      const verdict = which === 'open' ? 'inconclusive' : which === 'more' ? 'supported' : 'refuted'
      const why = which === 'open' ? whyOpen(limit, pValue) : ''
      const second = hasCpu
        ? ` At the median an L7 hop took ${withInterval(times.l7, 'ms')}, an L4 hop ${withInterval(times.l4, 'ms')}.`
        : ''
      return concluded(
        verdict,
        `${setting(meter.context)} an L7 hop cost ${withInterval(perHop.l7, unit)} ${what} and an L4 hop, HBONE included, ${withInterval(perHop.l4, unit)}: ${withInterval(shares.ratio, 'times')} as much; “expensive” is read as ${expensive} times or more${why === '' ? '' : `, which cannot be told${why}`}.${second}${couldSee(limit, hasCpu ? 'ms of CPU per 1 000 requests' : 'ms')}`,
        [
          [`${named} of an L7 hop`, hasCpu ? perRequest(perHop.l7) : perHop.l7],
          [`${named} of an L4 hop`, hasCpu ? perRequest(perHop.l4) : perHop.l4],
          ['L7 hop to L4 hop', shares.ratio],
        ],
        nextOf([limit.difference]),
      )
    },
  }
})

/** ms per 1 000 requests are µs per request: the same figure under the unit that a reader expects. */
function perRequest(estimate: Estimate): Estimate {
  return { ...estimate, unit: 'us' }
}
