/**
 * Rules of the claims that are decided by what an experiment does while load runs: C5, C6, C11.
 *
 * Each compares trials of one round, and its verdict follows from a 95 % interval that lies on one side of a limit. Beside
 * it stands the experiment's null, the same action with nothing to act on: where that finds an effect, nothing is decided.
 */
import { killLoads, workloadsHit } from '../../../scenarios/experiments/blast-radius.js'
import { neighbourLoads } from '../../../scenarios/experiments/isolation.js'
import { pauseLoads } from '../../../scenarios/experiments/pauses.js'
import { responseTime } from '../../../scenarios/metrics.js'
import type { ClaimAnalysis, ClaimId, Estimate, ReadMetric } from '../../model.js'
import type { Settings } from '../../stats/paired.js'
import { comparePaired, estimateOf } from '../estimates.js'
import { armOn } from '../increments.js'
import { pairedSeries, reaches, readMetric, seriesOf, type CellGroup, type Run } from '../readings.js'
import { moreRounds, withInterval } from '../words.js'
import { decide, type Decision } from './decision.js'
import type { Finding } from './finding.js'

/**
 * Limits with their reasons. A tail is bad where it is half as long again as it would be: less is lost in what a host's
 * p99 does by itself from day to day. Pauses are to be seen against a whole hop more, hence twice.
 */
export const limits = {
  /** C5: the victim's p99 with a neighbour on its hops, to that with the same neighbour on hops of its own. */
  badlyIsolated: 1.5,
  /** C11: p99 of a paused per-node proxy, to that of sidecars that never pause. */
  highTail: 2,
  /** C6: of a node's workloads, those that its component's death hurts at least. */
  everyWorkload: 0.9,
  /** C6: those that a sidecar's death hurts at most; of the null, half of that. */
  oneWorkload: 0.5,
}

/** A cell of an experiment: the load whose label begins so, along a mesh's path. */
interface Place {
  readonly load: string
  readonly path: string
}

export class Acts {
  readonly mesh: string
  readonly #run: Run
  readonly #groups: readonly CellGroup[]
  readonly #settings: Settings

  constructor(run: Run, groups: readonly CellGroup[], settings: Settings, mesh: string) {
    this.#run = run
    this.#groups = groups
    this.#settings = settings
    this.mesh = mesh
  }

  #cell({ load, path }: Place) {
    const group = this.#groups.find(
      ({ loadLabel, byArm, cells: [first] }) =>
        first !== undefined && loadLabel.startsWith(load) && byArm.has(this.#arm(path) ?? ''),
    )
    return group?.byArm.get(this.#arm(path) ?? '')
  }

  #arm(path: string): string | undefined {
    return this.#groups.flatMap((group) => armOn(this.#run, group, this.mesh, path) ?? [])[0]
  }

  #series(place: Place, metric: ReadMetric, percentile?: number) {
    return seriesOf(this.#run, this.#cell(place)?.id ?? '', (trial) =>
      reaches(trial, percentile) ? readMetric(this.#run, trial, metric, percentile) : undefined,
    )
  }

  /** p99 of the first to that of the second, paired by round; undefined without a round that has both. */
  ratio(first: Place, second: Place): Estimate | undefined {
    const series = [first, second].map((place) => this.#series(place, responseTime, 99))
    const [treated = [], reference = []] = pairedSeries(...series).values
    const cells = [first, second].map((place) => this.#cell(place)?.id ?? '')
    if (treated.length === 0) return undefined
    return comparePaired(treated, reference, this.#settings, { unit: 'ms', cells }).ratio
  }

  /** `signed` figures may lie below zero. */
  value(place: Place, metric: ReadMetric, kind: 'size' | 'signed' = 'size'): Estimate | undefined {
    const values = [...this.#series(place, metric).values()]
    const cells = [this.#cell(place)?.id ?? '']
    if (values.length === 0) return undefined
    return estimateOf(values, this.#settings, { unit: metric.unit, positive: kind === 'size', cells })
  }

  /** What checks of this name saw, made when the path came up; each once for each time that it did. */
  seen(path: string, check: string): readonly string[] {
    const arm = this.#arm(path) ?? ''
    return this.#run.environments.flatMap(({ proofs }) =>
      (proofs[arm] ?? []).flatMap(({ name, actual }) => (name === check ? [actual] : [])),
    )
  }

  /** How one starts a sentence on it. */
  get setting(): string {
    return `On ${this.mesh}`
  }
}

export type Rule = (acts: Acts) => Omit<ClaimAnalysis, 'id' | 'claim'> | undefined

/** Rounds that are wanting where a ratio's interval straddles its limit. */
export function wanting(estimate: Estimate, limit: number): string {
  return moreRounds(estimate.n, (estimate.high - estimate.low) / 2, Math.abs(estimate.value - limit) * 0.8)
}

/** One ratio against its limit, where the null stays below it. */
function byRatio(
  ratio: Estimate,
  nothing: Estimate | undefined,
  limit: number,
  words: { readonly sentence: string; readonly label: string; readonly nullLabel: string },
): Omit<ClaimAnalysis, 'id' | 'claim'> {
  const isNullQuiet = nothing !== undefined && decide(nothing, limit) === 'refuted'
  const verdict = isNullQuiet ? decide(ratio, limit) : 'inconclusive'
  return {
    verdict,
    sentence: words.sentence,
    figures: [
      { label: words.label, estimate: ratio },
      ...(nothing ? [{ label: words.nullLabel, estimate: nothing }] : []),
    ],
    ...(verdict === 'inconclusive'
      ? { next: wanting(isNullQuiet || !nothing ? ratio : nothing, limit) }
      : {}),
  }
}

/** A shared L7 proxy isolates badly: the part of the damage that is the sharing, not the host. */
const judgeC5: Rule = (acts) => {
  const at = (load: string) => ({ load, path: 'l7-per-node' })
  const ratio = acts.ratio(at(neighbourLoads.sharing), at(neighbourLoads.apart))
  const nothing = acts.ratio(at(neighbourLoads.quiet), at(neighbourLoads.none))
  const host = acts.ratio(at(neighbourLoads.apart), at(neighbourLoads.none))
  if (!ratio) return undefined
  return byRatio(ratio, nothing, limits.badlyIsolated, {
    sentence: `${acts.setting} a victim’s p99 was ${withInterval(ratio, 'times')} as long with a busy neighbour on its per-node proxy as with the same neighbour on a proxy of its own${host ? `, and there ${withInterval(host, 'times')} as long as with none` : ''}; “badly” is read as ${limits.badlyIsolated} times or more.`,
    label: 'p99 with a neighbour on the same proxy to that with one on its own',
    nullLabel: 'p99 with a quiet neighbour to that with none',
  })
}

type Bounds = Pick<Estimate, 'low' | 'high' | 'n'>

/** What is decided of C6, by the shares of workloads that a death behind each hurts. */
export function verdictOfC6(shared: Bounds, own: Bounds, nulls: readonly Bounds[]) {
  const isQuiet = (none: Bounds) => decide(none, limits.oneWorkload / 2) === 'refuted'
  const isNullQuiet = nulls.length === 2 && nulls.every(isQuiet)
  const most = decide(shared, limits.everyWorkload)
  // One workload that lived on in nine rounds of four is more often chance than the limit allows: every one has to be hit.
  const all = most === 'supported' && shared.low < 1 ? 'inconclusive' : most
  const some = decide(own, limits.oneWorkload)
  const found: Decision =
    all === 'refuted' || some === 'supported'
      ? 'refuted'
      : all === 'supported' && some === 'refuted'
        ? 'supported'
        : 'inconclusive'
  return { isNullQuiet, verdict: isNullQuiet ? found : 'inconclusive' } as const
}

/** All workloads behind a node's component, one of them behind a sidecar. */
const judgeC6: Rule = (acts) => {
  const at = (path: string, load: string = killLoads.killed) => ({ load, path })
  const nodePath = ['l7-per-node', 'l4-only', 'l4-l7-l4'].find((path) => acts.value(at(path), workloadsHit))
  if (nodePath === undefined) return undefined
  const shared = acts.value(at(nodePath), workloadsHit)
  const own = acts.value(at('l7-sidecar-to-sidecar'), workloadsHit)
  const nulls = [nodePath, 'l7-sidecar-to-sidecar'].flatMap(
    (path) => acts.value(at(path, killLoads.nothing), workloadsHit) ?? [],
  )
  if (!shared || !own) return undefined
  const { verdict, isNullQuiet } = verdictOfC6(shared, own, nulls)
  return {
    verdict,
    sentence: `${acts.setting} killing the node’s component (${nodePath}) hurt ${withInterval(shared, '')} of its workloads, killing one sidecar ${withInterval(own, '')} of them; time to recover is not decidable where nothing but the experiment starts it again.`,
    figures: [
      {
        label: `share of workloads that the death of a node’s component hurts (${nodePath})`,
        estimate: shared,
      },
      { label: 'share of workloads that the death of a sidecar hurts', estimate: own },
      ...nulls.map((estimate) => ({ label: 'the same when a spare hop is killed', estimate })),
    ],
    ...(verdict === 'inconclusive'
      ? { next: wanting(isNullQuiet ? own : (nulls[0] ?? own), limits.oneWorkload) }
      : {}),
  }
}

/** The tail alone: what a JVM takes in memory is asked of a JVM. */
const judgeC11: Rule = (acts) => {
  const shared = (load: string) => ({ load, path: 'l7-per-node' })
  const own = (load: string) => ({ load, path: 'l7-sidecar-to-sidecar' })
  const ratio = acts.ratio(shared(pauseLoads.paused), own(pauseLoads.none))
  const same = acts.ratio(shared(pauseLoads.paused), own(pauseLoads.paused))
  const nothing = acts.ratio(shared(pauseLoads.nothing), shared(pauseLoads.none))
  if (!ratio) return undefined
  const found = byRatio(ratio, nothing, limits.highTail, {
    sentence: `${acts.setting} the p99 of a per-node proxy that pauses was ${withInterval(ratio, 'times')} that of sidecars that do not${same ? `, and ${withInterval(same, 'times')} that of sidecars that pause as it does` : ''}; “high” is read as ${limits.highTail} times or more.`,
    label: 'p99 of a per-node proxy with pauses to that of sidecars without',
    nullLabel: 'p99 while a spare hop pauses to that without pauses',
  })
  // Half of the claim refutes it, but does not carry it.
  if (found.verdict !== 'supported') return found
  return {
    ...found,
    verdict: 'inconclusive',
    sentence: `${found.sentence} That bears the half on the tail out.`,
    next: 'measure the memory of a JVM-based proxy: pauses are injected here, and no JVM is run',
  }
}

const rules: Partial<Record<ClaimId, Rule>> = { C5: judgeC5, C6: judgeC6, C11: judgeC11 }

type GroupsOn = (claim: ClaimId) => readonly CellGroup[]

/** `groupsOn` are those of the experiments that declare data on a claim. */
export function judgeActs(run: Run, groupsOn: GroupsOn, settings: Settings): Finding[] {
  return judgeBy(rules, run, groupsOn, settings)
}

/** Each claim by its rule, for the first mesh that has what it takes. */
export function judgeBy(
  rulesOf: Partial<Record<ClaimId, Rule>>,
  run: Run,
  groupsOn: GroupsOn,
  settings: Settings,
): Finding[] {
  return Object.entries(rulesOf).flatMap(([key, rule]) => {
    const id = key as ClaimId
    const groups = groupsOn(id)
    const meshes = new Set(
      groups.flatMap(({ cells }) =>
        cells.flatMap(({ arm }) => {
          const { mesh, role } = run.armOf.get(arm) ?? {}
          return mesh !== undefined && role === 'subject' ? [mesh] : []
        }),
      ),
    )
    const [conclusion] = [...meshes].flatMap((mesh) => rule(new Acts(run, groups, settings, mesh)) ?? [])
    return conclusion ? [{ id, pValues: [], conclude: () => conclusion }] : []
  })
}
