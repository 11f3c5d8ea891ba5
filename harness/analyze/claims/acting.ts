/**
 * Rules of the claims that are decided by what an experiment does while load runs: C5, C6, C11.
 *
 * Each compares trials of one round, and its verdict follows from a 95 % interval that lies on one side of a limit. Beside
 * it stands the experiment's null, the same action with nothing to act on: where that finds an effect, nothing is decided.
 */
import { killLoads, workloadsHit } from '../../../scenarios/experiments/blast-radius.js'
import { neighbourLoads } from '../../../scenarios/experiments/isolation.js'
import { memoryOfHop, pauseLoads } from '../../../scenarios/experiments/pauses.js'
import type { Estimate } from '../../model.js'
import { withInterval } from '../words.js'
import { byActs, type Acts } from './acts.js'
import { decide, type Bounds, type Decision } from './decision.js'
import { fewestFirm } from '../estimates.js'
import { concluded, livesWords, wanting, wantingLives, type Conclusion } from './finding.js'

/**
 * Limits with their reasons. A tail is bad where it is half as long again as it would be: less is lost in what a host's
 * p99 does by itself from day to day. Pauses are to be seen against a whole hop more, hence twice.
 */
export const limits = {
  /** C5: the victim's p99 with a neighbour on its hops, to that with the same neighbour on hops of its own. */
  badlyIsolated: 1.5,
  /** C11: p99 of a paused per-node proxy, to that of sidecars that never pause. */
  highTail: 2,
  /** C11: memory of a proxy on a JVM to that of one sidecar: a node holds half as many pods with such sidecars, if memory is what fills it. */
  tooLarge: 2,
  /** C6: of a node's workloads, those that its component's death hurts at least. */
  everyWorkload: 0.9,
  /** C6: those that a sidecar's death hurts at most; of the null, half of that. */
  oneWorkload: 0.5,
}

/** One ratio against its limit, where the null stays below it. */
function byRatio(
  ratio: Estimate,
  nothing: Estimate | undefined,
  limit: number,
  words: { readonly sentence: string; readonly label: string; readonly nullLabel: string },
): Conclusion {
  const isNullQuiet = nothing !== undefined && decide(nothing, limit) === 'refuted'
  const verdict = isNullQuiet ? decide(ratio, limit) : 'inconclusive'
  const figures = [[words.label, ratio] as const, [words.nullLabel, nothing] as const]
  return concluded(
    verdict,
    words.sentence,
    figures,
    wanting(isNullQuiet || !nothing ? ratio : nothing, limit),
  )
}

/** A shared L7 proxy isolates badly: the part of the damage that is the sharing, not the host. */
export const judgeC5 = byActs((acts) => {
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
})

/** What is decided of C6, by the shares of workloads that a death behind each hurts. */
export function verdictOfC6(shared: Bounds, own: Bounds, nulls: readonly Bounds[]) {
  const isQuiet = (none: Bounds) => decide(none, limits.oneWorkload / 2) === 'refuted'
  const isNullQuiet = nulls.length === 2 && nulls.every(isQuiet)
  const all = decide(shared, limits.everyWorkload)
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
export const judgeC6 = byActs((acts) => {
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
  return concluded(
    verdict,
    `${acts.setting} killing the node’s component (${nodePath}) hurt ${withInterval(shared)} of its workloads, killing one sidecar ${withInterval(own)} of them; time to recover is not decidable where nothing but the experiment starts it again.`,
    [
      [`share of workloads that the death of a node’s component hurts (${nodePath})`, shared],
      ['share of workloads that the death of a sidecar hurts', own],
      ...nulls.map((none) => ['the same when a spare hop is killed', none] as const),
    ],
    wantingC6(shared, own, isNullQuiet ? undefined : (nulls[0] ?? own)),
  )
})

/** Rounds for what is open: the null, the node's component, or the sidecar. */
function wantingC6(shared: Estimate, own: Estimate, loud: Estimate | undefined): string {
  if (loud) return wanting(loud, limits.oneWorkload / 2)
  return decide(shared, limits.everyWorkload) === 'inconclusive'
    ? wanting(shared, limits.everyWorkload)
    : wanting(own, limits.oneWorkload)
}

const perNode = { path: 'l7-per-node', load: pauseLoads.none }
const sidecars = { path: 'l7-sidecar-to-sidecar', load: pauseLoads.none }

/** Flags of a run with a real JVM beside sidecars that are none. */
export const jvmFlags = `--experiment pauses --blocks ${fewestFirm} --arm finagle/l7-per-node reference/l7-sidecar-to-sidecar`

/** By a JVM where the run has one; by pauses that are injected, which bear one half alone, where it has none. */
export const judgeC11 = byActs((acts) => ofJvm(acts) ?? ofInjectedPauses(acts))

function ofJvm(acts: Acts): Conclusion | undefined {
  const [mesh, native] = [acts.meshOn(perNode.path, 'jvm'), acts.meshOn(sidecars.path, 'native')]
  if (mesh === undefined || native === undefined) return undefined
  const [jvm, own] = [
    { ...perNode, mesh },
    { ...sidecars, mesh: native },
  ]
  const tail = acts.ratio(jvm, own)
  const measured = acts.sampled(jvm, own, memoryOfHop)
  const nothing = acts.ratio({ ...jvm, load: pauseLoads.nothing }, jvm)
  const injected = acts.ratio({ ...jvm, load: pauseLoads.paused }, own)
  if (!tail || !measured) return undefined
  const { ratio: size, samples: lives } = measured
  const isNullQuiet = nothing !== undefined && decide(nothing, limits.highTail) === 'refuted'
  return concluded(
    isNullQuiet ? verdictOfC11(tail, { ...size, n: lives }) : 'inconclusive',
    `On ${mesh}, a JVM, the per-node proxy’s p99 was ${withInterval(tail, 'times')} that of ${native}’s sidecars, and its memory ${withInterval(size, 'times')} that of one of them${livesWords(lives)}; “high” is read as ${limits.highTail} times or more, “too large” as ${limits.tooLarge} times.`,
    [
      ['p99 of a per-node proxy on a JVM to that of sidecars', tail],
      ['memory of a proxy on a JVM to that of one sidecar', size],
      ['p99 of a per-node proxy on a JVM with pauses on top to that of sidecars', injected],
      ['p99 on a JVM while a spare hop pauses to that without pauses', nothing],
    ],
    isNullQuiet || !nothing ? wantingMore(tail, size, lives) : wanting(nothing, limits.highTail),
  )
}

/** Both halves carry it; one that does not hold refutes it. */
export function verdictOfC11(tail: Bounds, size: Bounds): Decision {
  const halves = [decide(tail, limits.highTail), decide(size, limits.tooLarge)]
  if (halves.includes('refuted')) return 'refuted'
  return halves.includes('inconclusive') ? 'inconclusive' : 'supported'
}

/** Rounds for the half that is open, or processes. */
function wantingMore(tail: Estimate, size: Estimate, lives: number): string {
  if (decide(tail, limits.highTail) === 'inconclusive') return wanting(tail, limits.highTail)
  return lives < fewestFirm ? wantingLives : wanting(size, limits.tooLarge)
}

/** The tail alone: what a JVM takes in memory is asked of a JVM. */
function ofInjectedPauses(acts: Acts): Conclusion | undefined {
  const shared = (load: string) => ({ ...perNode, load })
  const own = (load: string) => ({ ...sidecars, load })
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
    next: `measure a proxy on a real JVM, which the mesh finagle is: meshbench run ${jvmFlags}; pauses are injected here, and no JVM is run`,
  }
}
