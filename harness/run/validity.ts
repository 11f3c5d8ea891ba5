/** Decides whether a trial may be believed: limits beyond which it is invalid, and oddities worth a warning. Pure. */
import { generatorCpuShare } from '../model/journal.js'
import { percentileUs } from '../load/histogram.js'
import type { BillCategory, LoadResult, LoadSpec, Usage, ValidityLimits } from '../model.js'

interface Validity {
  /** Why the trial is invalid; none means that it is valid. */
  readonly reasons: readonly string[]
  readonly warnings: readonly string[]
}

interface Finding {
  readonly weight: 'reason' | 'warning'
  readonly text: string
}
type Findings = Generator<Finding, void>
const reason = (text: string): Finding => ({ weight: 'reason', text })
const warning = (text: string): Finding => ({ weight: 'warning', text })

function validityOf(findings: Findings): Validity {
  const all = [...findings]
  const textsOf = (weight: Finding['weight']) =>
    all.filter((finding) => finding.weight === weight).map(({ text }) => text)
  return { reasons: textsOf('reason'), warnings: textsOf('warning') }
}

/** Delayed ACKs wait 40 ms (TCP_DELACK_MIN): a median beyond it, far above the usual, hints at Nagle's algorithm. */
const delayedAckUs = 40_000

/**
 * Half of an idle generator's requests are sent within 20 µs of when they are due. A median beyond this is no hiccup but
 * the step of its timer, and is in every response time.
 */
const timerFloorUs = 100

/** Beyond this share of a host's CPUs a cluster and what is measured on it wait for each other; runs of earlier versions name none. */
const defaultBusyShare = 0.95

export function judgeValidity(
  spec: LoadSpec,
  load: LoadResult,
  usage: Usage | undefined,
  limits: ValidityLimits,
): Validity {
  return validityOf(judgeTrial(spec, load, usage, limits))
}

function* judgeTrial(
  spec: LoadSpec,
  load: LoadResult,
  usage: Usage | undefined,
  limits: ValidityLimits,
): Findings {
  yield* judgeLoad(spec, load, limits)
  if (usage) yield* judgeHost(spec, load, usage, limits)
}

/**
 * The same for a trial of a search, which asks for more than the arm can do: errors, what is left unsent and a
 * generator without CPU are its findings. What others do on the host still makes it invalid.
 */
export function judgeProbe(load: LoadResult, usage: Usage | undefined, limits: ValidityLimits): Validity {
  return validityOf(judgeSearchTrial(load, usage, limits))
}

function* judgeSearchTrial(load: LoadResult, usage: Usage | undefined, limits: ValidityLimits): Findings {
  if (load.sent === 0) yield reason('no request was sent')
  if (usage) yield* judgeOthers(usage, limits)
}

function* judgeLoad(spec: LoadSpec, load: LoadResult, limits: ValidityLimits): Findings {
  if (load.sent === 0) {
    yield reason('no request was sent')
    return
  }
  const errors = load.sent - load.ok
  if (errors / load.sent > limits.maxErrorShare) {
    const kinds = Object.entries(load.errors).map(([kind, count]) => `${count} × ${kind}`)
    yield reason(`${errors} of ${load.sent} requests failed (${kinds.join(', ')})`)
  }
  if (spec.model === 'open' && spec.ratePerSecond !== undefined) {
    // What failed was sent, too: whether it may have is a limit of its own.
    const sentPerSecond = load.achievedRatePerSecond * (load.sent / Math.max(1, load.ok))
    const share = sentPerSecond / dueRate(load, spec.ratePerSecond, spec.durationMs)
    if (load.unsent > 0) yield reason(`${load.unsent} requests were due but never sent`)
    // An open loop of our own sends what is due and no more; others may send what they like.
    else if (load.unknown?.includes('unsent') && share > 2 - limits.minAchievedShare)
      yield reason(
        `sent ${percent(share)} of the asked rate; at most ${percent(2 - limits.minAchievedShare)} is what was asked for`,
      )
    else if (share < limits.minAchievedShare)
      yield reason(
        `achieved ${percent(share)} of the asked rate; at least ${percent(limits.minAchievedShare)} is needed`,
      )
    // An engine of others may send more than it was asked for, which is another load.
    else if (share * limits.minAchievedShare > 1)
      yield reason(
        `achieved ${percent(share)} of the asked rate; at most ${percent(1 / limits.minAchievedShare)} may be`,
      )
  }
  if (load.sendLag) {
    const [floor, lag] = [percentileUs(load.sendLag, 50), percentileUs(load.sendLag, 99)]
    if (lag > limits.maxSendLagP99Us)
      yield reason(
        `the generator lagged: p99 of sent − due was ${lag} µs; at most ${limits.maxSendLagP99Us} µs`,
      )
    if (floor > timerFloorUs && spec.model === 'open')
      yield warning(
        `timer floor: half of the requests were sent ${floor} µs or more after they were due, and their response times hold that`,
      )
  }
  const latency = load.response ?? load.service
  if (latency) {
    const [p50, p99] = [percentileUs(latency, 50), percentileUs(latency, 99)]
    if (p99 > delayedAckUs * 0.98 && p99 < delayedAckUs * 1.15 && p50 < delayedAckUs / 4)
      yield warning(
        'p99 lies at 40 ms: Nagle’s algorithm against delayed ACKs? Check TCP_NODELAY on every hop',
      )
  }
}

/** A short window holds whole requests: what was due in it is what was asked for, rounded. */
function dueRate({ sent, unsent, unknown }: LoadResult, askedPerSecond: number, durationMs: number): number {
  return unknown?.includes('unsent') ? askedPerSecond : ((sent + unsent) / durationMs) * 1000
}

function* judgeHost(spec: LoadSpec, load: LoadResult, usage: Usage, limits: ValidityLimits): Findings {
  if (usage.windowMs <= 0) return
  const generatorShare = generatorCpuShare(spec, load.generators ?? 1, usage) ?? 0
  // A closed loop is meant to run as fast as it can; an open loop that has no CPU left measures itself.
  if (spec.model === 'open' && generatorShare > limits.maxGeneratorCpuShare)
    yield reason(
      `the generator used ${percent(generatorShare)} of a core; at most ${percent(limits.maxGeneratorCpuShare)}`,
    )
  if (spec.model === 'open') yield* judgeSaturation(load, usage, limits)
  yield* judgeOthers(usage, limits)
}

/**
 * Kubernetes works whether there is load or not, and the arm has what it leaves: what a request costs here, of which the
 * host has so much when nobody else is on it, is the rate that it carries.
 */
function* judgeSaturation(
  load: LoadResult,
  { windowMs, cpus, hostBusyNs, orchestratorNs, components }: Usage,
  { maxBusyShare = defaultBusyShare }: ValidityLimits,
): Findings {
  const isFixed = ({ category }: { category: BillCategory }) =>
    category === 'platform' || category === 'control-plane'
  if (!components.some(({ category }) => category === 'platform')) return
  const hostNs = windowMs * 1e6 * cpus
  // Two clocks, one of them in ticks: a host that is full may seem to be fuller.
  const share = Math.min(1, hostBusyNs / hostNs)
  if (share <= maxBusyShare * 0.8) return
  const sum = (rows: Usage['components']) => rows.reduce((total, { cpuNs }) => total + cpuNs, 0)
  const leftNs = maxBusyShare * hostNs - sum(components.filter(isFixed)) - orchestratorNs
  const ofRequestsNs = sum(components.filter((row) => !isFixed(row)))
  const carried = Math.max(0, leftNs / Math.max(1, ofRequestsNs)) * load.achievedRatePerSecond
  // Two figures: it is an estimate from one window.
  const says = `at what a request costs on this path it carries about ${Number(carried.toPrecision(2))}/s`
  if (share > maxBusyShare)
    yield reason(
      `the host was saturated: its CPUs worked ${percent(share)} of the time; at most ${percent(maxBusyShare)}; ${says}`,
    )
  else yield warning(`the host's CPUs worked ${percent(share)} of the time; ${says}`)
}

function* judgeOthers(usage: Usage, limits: ValidityLimits): Findings {
  const hostNs = usage.windowMs * 1e6 * usage.cpus
  if (hostNs <= 0) return
  const steal = usage.hostStealNs / hostNs
  if (steal > limits.maxStealShare)
    yield reason(
      `the hypervisor stole ${percent(steal)} of the host; at most ${percent(limits.maxStealShare)}`,
    )
  const known = usage.components.reduce((sum, { cpuNs }) => sum + cpuNs, usage.orchestratorNs)
  // Two clocks, one of them in ticks: a host that is full may seem to be fuller.
  const foreign = Math.min(1, Math.max(0, usage.hostBusyNs - known) / hostNs)
  if (foreign > limits.maxForeignCpuShare)
    yield reason(`others used ${percent(foreign)} of the host; at most ${percent(limits.maxForeignCpuShare)}`)
  else if (foreign > limits.maxForeignCpuShare / 4)
    yield warning(`others used ${percent(foreign)} of the host`)
  for (const { component, throttledPeriods = 0 } of usage.components) {
    if (throttledPeriods > 0)
      yield warning(`${component} was throttled in ${throttledPeriods} periods: its limit was measured`)
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
