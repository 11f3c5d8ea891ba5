/** What a run says about the claims of the talk behind this project: supported, refuted or inconclusive on this host, with the figures. */
import { cpu as cpuMetric, responseTime } from '../../../scenarios/metrics.js'
import { experimentNamed } from '../../../scenarios/registry.js'
import type { Arm, ClaimAnalysis, ClaimId, Estimate, ReadMetric } from '../../model.js'
import { holm } from '../../stats/families.js'
import { locate, power, type Settings } from '../../stats/paired.js'
import { alpha, comparePaired, estimateOf, fewestFirm, type PairedResult } from '../estimates.js'
import { armOn, combine, combinedValues } from '../increments.js'
import { handshakesPerConnection, seriesOf, type CellGroup, type Run } from '../readings.js'
import { detectableBy, pValueOf } from '../../stats/location.js'
import { judgeActs } from './acting.js'
import { couldSee, nextOf, type Finding } from './finding.js'
import { judgeGrowth } from './growth.js'
import { judgeKernel } from './kernel.js'
import { judgeStarts } from './starting.js'
import { figure, moreRounds, withInterval } from '../words.js'

export const claimTexts: Readonly<Record<ClaimId, string>> = {
  C1: 'Two L7 hops (sidecar to sidecar) cost more than L4-L7-L4 (tunnel, waypoint, tunnel), although the second has an extra hop.',
  C2: 'Traffic that needs only L4 (mutual TLS, identity, connection metrics) should not pay for L7: L4-only is much cheaper than either.',
  C3: 'L7 processing is the expensive part; moving bytes at L4 is cheap.',
  C4: 'With sidecars, mesh memory and CPU grow linearly with application replicas; a sidecarless mesh grows with nodes, and its L7 part scales on its own.',
  C5: 'A per-node, shared L7 proxy isolates tenants badly; sidecars and per-tenant waypoints isolate well.',
  C6: 'A fault in a node-level component hurts every workload on the node; a fault in a sidecar hurts one pod.',
  C7: 'Sidecars share the application’s lifecycle, which brings start-up races; node-level components avoid them.',
  C8: 'An HBONE tunnel multiplexes: ten connections between the same pair of workloads need one mutual TLS connection, not ten.',
  C9: 'Cilium’s mutual authentication shakes hands once, out of band, between agents; the first packet is dropped and the payload is then sent without TLS.',
  C10: 'eBPF keeps L3 and L4 in the kernel and bypasses much of iptables; it cannot do L7, which goes to Envoy in user space.',
  C11: 'A JVM-based per-node proxy has a high tail latency and is too large for a sidecar.',
  C12: 'A sidecarless mesh needs far fewer resources overall.',
}

/** What would have to be measured, for claims that this run has no data on. */
const needs: Readonly<Record<ClaimId, string>> = {
  C1: 'measure l4-l7-l4 and l7-sidecar-to-sidecar on one mesh, with the latency experiment',
  C2: 'measure l4-only, l4-l7-l4 and l7-sidecar-to-sidecar on one mesh, with the latency experiment',
  C3: 'measure l4-only and either l7-per-node or l7-sidecar-to-sidecar on one mesh, with the latency experiment',
  C4: 'measure l7-sidecar-to-sidecar and l4-l7-l4 or l7-per-node on one mesh, with the footprint experiment',
  C5: 'measure l7-per-node with the isolation experiment',
  C6: 'measure l7-per-node and l7-sidecar-to-sidecar on one mesh, with the blast-radius experiment',
  C7: 'measure l7-sidecar-to-sidecar and l4-only, l4-l7-l4 or l7-per-node on one mesh, with the startup experiment',
  C8: 'run the connect experiment on l4-only: it counts handshakes per connection',
  C9: 'run Cilium with mutual authentication on a cluster, with the first-packet experiment',
  C10: 'measure ebpf/l4-kernel, nftables/l4-kernel and an l7-per-node in one run on netns, with the latency experiment',
  C11: 'measure l7-per-node and l7-sidecar-to-sidecar on one mesh, with the pauses experiment',
  C12: 'measure l7-sidecar-to-sidecar and l4-l7-l4 or l7-per-node on one mesh, with the footprint experiment',
}

export const claimIds = Object.keys(claimTexts) as ClaimId[]

export function claimsOf(run: Run, groups: readonly CellGroup[], settings: Settings): ClaimAnalysis[] {
  const context = contextOf(run, groups)
  const findings = context
    ? [judgeC1, judgeC2, judgeC3].flatMap((judge) => judge(createMeter(run, context, settings)) ?? [])
    : []
  findings.push(...judgeC8(run, groups, settings))
  const groupsOn = (id: ClaimId) => groups.filter((group) => hasDataOn(group, id))
  findings.push(
    ...judgeActs(run, groupsOn, settings),
    ...judgeStarts(run, groupsOn, settings),
    ...judgeGrowth(run, groupsOn('C4'), settings),
    ...judgeKernel(run, groupsOn('C10'), settings),
  )
  // One family: the tests that decide the claims of a run.
  const adjusted = holm(findings.flatMap(({ pValues }) => pValues))
  let next = 0
  const concluded = new Map(
    findings.map((finding) => {
      const own = adjusted.slice(next, (next += finding.pValues.length))
      return [finding.id, finding.conclude(own)]
    }),
  )
  return claimIds.map((id) => ({
    id,
    claim: claimTexts[id],
    ...(concluded.get(id) ?? {
      verdict: 'no data' as const,
      sentence: 'This run has no data on it.',
      figures: [],
      next: needs[id],
    }),
  }))
}

function hasDataOn({ experiment }: CellGroup, ...claims: readonly ClaimId[]): boolean {
  const declared = experimentNamed(experiment)?.claims ?? []
  return claims.some((id) => declared.includes(id))
}

/** Ten connections over one: a tunnel that shares more badly than this does not do what is claimed. */
const mostHandshakes = 0.1

/** Counted, not compared: no test of a family, so that it takes no power from the others. */
function judgeC8(run: Run, groups: readonly CellGroup[], settings: Settings): Finding[] {
  const measured = groups
    .filter((group) => hasDataOn(group, 'C8'))
    .flatMap(({ cells }) => cells)
    .filter(({ arm }) => run.armOf.get(arm)?.path === 'l4-only' && run.armOf.get(arm)?.variant === undefined)
    .flatMap((cell) => {
      const values = [...seriesOf(run, cell.id, handshakesPerConnection).values()]
      return values.length === 0 ? [] : [{ cell, values }]
    })
  const [first] = measured
  if (!first) return []
  const options = { unit: 'count', positive: true, cells: [first.cell.id] } as const
  const visible = detectableBy(locate(first.values, settings), alpha, power)
  const estimate = estimateOf(first.values, settings, options)
  const verdict =
    estimate.n < fewestFirm
      ? 'inconclusive'
      : estimate.high <= mostHandshakes
        ? 'supported'
        : estimate.low > mostHandshakes
          ? 'refuted'
          : 'inconclusive'
  return [
    {
      id: 'C8',
      pValues: [],
      conclude: () => ({
        verdict,
        sentence: `On ${first.cell.arm} each connection that the client opened (${first.cell.loadLabel}) cost the tunnels ${withInterval(estimate, '')} mutual TLS handshakes; one for ten or fewer is what is claimed.${estimate.n < fewestFirm ? '' : ` The smallest difference from that which this run could have seen is ${figure(visible)}.`}`,
        figures: [{ label: 'mutual TLS handshakes per connection', estimate }],
        ...(verdict === 'inconclusive'
          ? { next: moreRounds(estimate.n, estimate.high - estimate.low, mostHandshakes) }
          : {}),
      }),
    },
  ]
}

interface ClaimContext {
  readonly group: CellGroup
  /** A mesh, or a product whose meshes have a path each. */
  readonly mesh: string
  /** Arms by path; the baselines of their environments, several where the arms stand in several. */
  readonly armOf: ReadonlyMap<string, Arm>
  readonly baselines: readonly string[]
  readonly severalMeshes: boolean
}

const needed = ['l4-l7-l4', 'l7-sidecar-to-sidecar', 'l4-only', 'l7-per-node']

/** Meshes of a group, and products of which it has several. */
function sidesOf(run: Run, { cells }: CellGroup): readonly string[] {
  const arms = cells.flatMap(({ arm }) => run.armOf.get(arm) ?? []).filter(({ role }) => role === 'subject')
  return [...new Set(arms.flatMap(({ mesh, family }) => (family === undefined ? [mesh] : [mesh, family])))]
}

/** Cells of one experiment and load from all the environments that they were measured in, where there are several. */
function acrossEnvironments(groups: readonly CellGroup[]): readonly CellGroup[] {
  const isAlike = (a: CellGroup, b: CellGroup) => a.experiment === b.experiment && a.loadLabel === b.loadLabel
  const firsts = groups.filter((group, index) => groups.findIndex((other) => isAlike(group, other)) === index)
  return firsts.flatMap((first) => {
    const apart = groups.filter((group) => isAlike(group, first))
    if (apart.length === 1) return []
    const environment = apart.map((group) => group.environment).join(', ')
    const cells = apart.flatMap((group) => group.cells)
    return [{ ...first, environment, cells, byArm: new Map(cells.map((cell) => [cell.arm, cell])) }]
  })
}

/**
 * Claims are answered for one mesh, or one product that has the paths in several meshes, at one load: that with the most
 * of the paths that they need, a product before what stands for itself, then the load with the most rounds, then the
 * highest rate.
 */
function contextOf(run: Run, groups: readonly CellGroup[]): ClaimContext | undefined {
  const measured = groups.filter((group) => hasDataOn(group, 'C1', 'C2', 'C3'))
  const candidates = [...measured, ...acrossEnvironments(measured)]
    .flatMap((group) => {
      return sidesOf(run, group).map((mesh) => {
        const armOf = new Map(
          needed.flatMap((path) => {
            const arm = run.armOf.get(armOn(run, group, mesh, path) ?? '')
            return arm ? [[path, arm] as const] : []
          }),
        )
        const rounds = needed.map((path) => {
          const cell = group.byArm.get(armOf.get(path)?.id ?? '')
          return (cell && run.valid.get(cell.id)?.size) ?? 0
        })
        return {
          group,
          mesh,
          armOf,
          isProduct: [...armOf.values()].some(({ family }) => family === mesh),
          paths: rounds.filter((count) => count > 0).length,
          rounds: Math.min(...rounds.filter((count) => count > 0)),
          rate: group.cells[0]?.load.ratePerSecond ?? 0,
        }
      })
    })
    .filter(({ paths }) => paths > 0)
    .sort(
      (a, b) =>
        b.paths - a.paths ||
        Number(b.isProduct) - Number(a.isProduct) ||
        b.rounds - a.rounds ||
        b.rate - a.rate,
    )
  const [best] = candidates
  return (
    best && {
      group: best.group,
      mesh: best.mesh,
      armOf: best.armOf,
      baselines: [...new Set([...best.armOf.values()].map(({ baseline }) => baseline))],
      severalMeshes: new Set(candidates.map(({ mesh }) => mesh)).size > 1,
    }
  )
}

/** Measures weighted sums of paths, paired by round, at the load that claims are answered for. */
interface Meter {
  readonly context: ClaimContext
  has(...paths: readonly string[]): boolean
  /** Values by round, each row one weighted sum, over the rounds that all have. */
  sums(metric: ReadMetric, rows: readonly Readonly<Record<string, number>>[]): readonly (readonly number[])[]
  estimate(metric: ReadMetric, weights: Readonly<Record<string, number>>): Estimate
  compare(metric: ReadMetric, first: Weights, second: Weights): PairedResult
  p(metric: ReadMetric, weights: Weights): number
}

type Weights = Readonly<Record<string, number>>

function createMeter(run: Run, context: ClaimContext, settings: Settings): Meter {
  const { group, baselines } = context
  const armsOf = (path: string): readonly string[] =>
    path === 'baseline' ? baselines : [context.armOf.get(path)?.id ?? '']
  // Each path less the baseline of its own environment, where they stand in several: nothing else is comparable there.
  const weightOf = (weights: Weights, arm: string) => {
    const own = needed.filter((path) => armsOf(path).includes(arm)).map((path) => weights[path] ?? 0)
    if (!baselines.includes(arm)) return own[0] ?? 0
    if (!isApart(context)) return weights.baseline ?? 0
    return -needed
      .filter((path) => context.armOf.get(path)?.baseline === arm)
      .reduce((sum, path) => sum + (weights[path] ?? 0), 0)
  }
  const armsIn = (paths: readonly string[]) => [
    ...new Set([...paths, ...(isApart(context) ? ['baseline'] : [])].flatMap(armsOf)),
  ]
  const termsOf = (weights: Weights, all: readonly string[]) =>
    armsIn(all).map((arm) => [arm, weightOf(weights, arm)] as const)
  const values = (metric: ReadMetric, weights: Weights, all: readonly string[]) =>
    combinedValues(run, group, metric, termsOf(weights, all))
  const cellsOf = (paths: readonly string[]) => armsIn(paths).map((arm) => group.byArm.get(arm)?.id ?? '')
  const sums: Meter['sums'] = (metric, rows) => {
    const all = [...new Set(rows.flatMap((row) => Object.keys(row)))]
    return rows.map((row) => values(metric, row, all))
  }
  return {
    context,
    has: (...paths) =>
      paths.flatMap(armsOf).every((arm) => (run.valid.get(group.byArm.get(arm)?.id ?? '')?.size ?? 0) > 0),
    sums,
    estimate: (metric, weights) =>
      combine(run, group, settings, metric, termsOf(weights, Object.keys(weights))),
    compare: (metric, first, second) => {
      const [treated = [], reference = []] = sums(metric, [first, second])
      const paths = [...new Set([...Object.keys(first), ...Object.keys(second)])]
      return comparePaired(treated, reference, settings, {
        unit: metric.unit,
        cells: cellsOf(paths),
      })
    },
    p: (metric, weights) => {
      const all = values(metric, weights, Object.keys(weights))
      return all.length < fewestFirm ? 1 : pValueOf(locate(all, settings))
    },
  }
}

const l4l7l4: Weights = { 'l4-l7-l4': 1 }
const l7l7: Weights = { 'l7-sidecar-to-sidecar': 1 }
const addedBy = (path: string): Weights => ({ [path]: 1, baseline: -1 })

/** Whether arms stand in several environments: what they add can be compared then, not what they use in all. */
function isApart({ baselines }: ClaimContext): boolean {
  return baselines.length > 1
}

/** Where and at which load, for the start of a sentence. */
function setting(context: ClaimContext): string {
  const { group, mesh, armOf, severalMeshes } = context
  const load = group.cells[0]?.load
  const rate = load?.ratePerSecond === undefined ? group.loadLabel : `${figure(load.ratePerSecond)} req/s`
  const arms = [...armOf.values()].map(({ id }) => id)
  const where = isApart(context) ? `${mesh} (${arms.join(', ')}, each less its own cluster's baseline)` : mesh
  return `${severalMeshes || isApart(context) ? `On ${where}, at` : 'At'} ${rate}`
}

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
function judgeC1(meter: Meter): Finding | undefined {
  if (!meter.has('l4-l7-l4', 'l7-sidecar-to-sidecar')) return undefined
  const cpu = meter.compare(cpuMetric, l4l7l4, l7l7)
  const latency = meter.compare(responseTime, l4l7l4, l7l7)
  if (latency.difference.n === 0) return undefined
  const hasCpu = cpu.difference.n > 0
  const hasBaseline = meter.has('baseline')
  const breakEven = meter.estimate(cpuMetric, {
    'l4-l7-l4': 1,
    'l7-sidecar-to-sidecar': -0.5,
    baseline: -0.5,
  })
  const hop = meter.estimate(cpuMetric, {
    'l7-sidecar-to-sidecar': 0.5,
    baseline: -0.5,
  })
  return {
    id: 'C1',
    pValues: hasCpu ? [cpu.pValue, latency.pValue] : [latency.pValue],
    conclude(adjusted) {
      const byLatency = direction(latency, adjusted.at(-1) ?? 1)
      const byCpu = hasCpu ? direction(cpu, adjusted[0] ?? 1) : byLatency
      const mixed = (byCpu === 'less' && byLatency === 'more') || (byCpu === 'more' && byLatency === 'less')
      const verdict = mixed || byCpu === 'open' ? 'inconclusive' : byCpu === 'less' ? 'supported' : 'refuted'
      const sentences = [
        `${setting(meter.context)} ${hasCpu ? cpuWords(cpu, byCpu, isApart(meter.context) ? 'added' : 'used', adjusted[0] ?? 1) : 'CPU was not measured'}`,
        medianWords(latency, byLatency, adjusted.at(-1) ?? 1),
        ...(hasCpu && hasBaseline && breakEven.n > 0
          ? [
              `L4-L7-L4 is the cheaper one where an L7 hop costs more than ${withInterval(breakEven, 'µs')} of CPU a request; here one costs ${withInterval(hop, 'µs')}`,
            ]
          : []),
      ]
      const half = (cpu.difference.high - cpu.difference.low) / 2
      return {
        verdict,
        sentence: `${sentences.join('; ')}.${couldSee(hasCpu ? cpu : latency, hasCpu ? 'ms of CPU per 1 000 requests' : 'ms')}`,
        figures: [
          ...(hasCpu
            ? [
                { label: 'CPU of L4-L7-L4 to that of L7-L7', estimate: cpu.ratio },
                {
                  label: 'CPU of L4-L7-L4 less that of L7-L7, ms per 1 000 requests',
                  estimate: cpu.difference,
                },
              ]
            : []),
          { label: 'median response time of L4-L7-L4 less that of L7-L7', estimate: latency.difference },
          ...(hasCpu && hasBaseline && breakEven.n > 0
            ? [
                { label: 'break-even: CPU per L7 hop and request', estimate: perRequest(breakEven) },
                { label: 'CPU per L7 hop and request here', estimate: perRequest(hop) },
              ]
            : []),
        ],
        ...(verdict === 'inconclusive'
          ? {
              next: mixed
                ? 'CPU and latency point in opposite ways: which one counts is yours to say'
                : moreRounds(cpu.difference.n, half, Math.abs(cpu.difference.value) * 0.8),
            }
          : {}),
      }
    },
  }
}

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

function negated(estimate: Estimate): Estimate {
  return { ...estimate, value: -estimate.value, low: -estimate.high, high: -estimate.low }
}

/** “Much cheaper” is taken as: adds at most half. */
const muchCheaper = 0.5

function judgeC2(meter: Meter): Finding | undefined {
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
    id: 'C2',
    pValues: parts.map(({ p }) => p),
    conclude(adjusted) {
      const below = parts.map(
        ({ half: { difference: excess } }, index) =>
          (adjusted[index] ?? 1) <= alpha && excess.n >= fewestFirm && excess.value < 0,
      )
      const above = parts.map(
        ({ half: { difference: excess } }, index) =>
          (adjusted[index] ?? 1) <= alpha && excess.n >= fewestFirm && excess.value > 0,
      )
      const verdict = below.every(Boolean) ? 'supported' : above.some(Boolean) ? 'refuted' : 'inconclusive'
      const shares = parts.map(
        ({ label, shares }) => `${withInterval(shares.ratio, 'times')} what ${label} added`,
      )
      return {
        verdict,
        sentence: `${setting(meter.context)} L4-only added ${shares.join(' and ')} in ${what}, and ${withInterval(latency, 'ms')} at the median; “much cheaper” is read as at most half${verdict === 'inconclusive' ? openParts(parts, adjusted) : ''}.${couldSee(first.half, metric === responseTime ? 'ms' : 'ms of CPU per 1 000 requests')}`,
        figures: parts.map(({ label, shares }) => ({
          label: `added ${what} of L4-only to that of ${label}`,
          estimate: shares.ratio,
        })),
        ...(verdict === 'inconclusive' ? { next: nextOf(parts.map(({ half }) => half.difference)) } : {}),
      }
    },
  }
}

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

function judgeC3(meter: Meter): Finding | undefined {
  const l7Path = (['l7-per-node', 'l7-sidecar-to-sidecar'] as const).find((path) => meter.has(path))
  if (!meter.has('l4-only', 'baseline') || !l7Path) return undefined
  const l4Hop = scaled(addedBy('l4-only'), 0.5)
  const l7Hop = scaled(addedBy(l7Path), l7Path === 'l7-per-node' ? 1 : 0.5)
  const test = (metric: ReadMetric) => meter.compare(metric, l7Hop, l4Hop)
  const cpu = test(cpuMetric)
  const latency = test(responseTime)
  const hasCpu = cpu.difference.n > 0
  const decisive = hasCpu ? cpu : latency
  if (decisive.difference.n === 0) return undefined
  const metric: ReadMetric = hasCpu ? cpuMetric : responseTime
  const [unit, what, figure] = hasCpu
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
    id: 'C3',
    pValues: [decisive.pValue],
    conclude([pValue = 1]) {
      const which = direction(decisive, pValue)
      const verdict = which === 'open' ? 'inconclusive' : which === 'more' ? 'supported' : 'refuted'
      const second = hasCpu
        ? ` At the median an L7 hop took ${withInterval(times.l7, 'ms')}, an L4 hop ${withInterval(times.l4, 'ms')}.`
        : ''
      return {
        verdict,
        sentence: `${setting(meter.context)} an L7 hop cost ${withInterval(perHop.l7, unit)} ${what} and an L4 hop, HBONE included, ${withInterval(perHop.l4, unit)}: ${withInterval(decisive.ratio, 'times')} as much${which === 'open' ? openC3(decisive, pValue) : ''}.${second}${couldSee(decisive, hasCpu ? 'ms of CPU per 1 000 requests' : 'ms')}`,
        figures: [
          { label: `${figure} of an L7 hop`, estimate: hasCpu ? perRequest(perHop.l7) : perHop.l7 },
          { label: `${figure} of an L4 hop`, estimate: hasCpu ? perRequest(perHop.l4) : perHop.l4 },
          { label: 'L7 hop to L4 hop', estimate: decisive.ratio },
        ],
        ...(verdict === 'inconclusive' ? { next: nextOf([decisive.difference]) } : {}),
      }
    },
  }
}

function openC3(result: PairedResult, pValue: number): string {
  const why = whyOpen(result, pValue)
  return why === '' ? '' : `, which cannot be told apart${why}`
}

function scaled(weights: Weights, factor: number): Weights {
  return Object.fromEntries(Object.entries(weights).map(([path, weight]) => [path, weight * factor]))
}

/** ms per 1 000 requests are µs per request: the same figure under the unit that a reader expects. */
function perRequest(estimate: Estimate): Estimate {
  return { ...estimate, unit: 'us' }
}
