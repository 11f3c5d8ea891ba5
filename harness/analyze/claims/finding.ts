/** What the rules of claims have in common. */
import type { ClaimAnalysis, Estimate } from '../../model.js'
import { defined } from '../../model/defined.js'
import type { Settings } from '../../stats/paired.js'
import { alpha, fewestFirm, type PairedResult } from '../estimates.js'
import type { CellGroup, Run } from '../readings.js'
import { figure, moreRounds } from '../words.js'

/** A claim that a run has data on, before the correction for several claims. */
export interface Finding {
  /** p-values of the tests that decide it; none where an interval does. */
  readonly pValues: readonly number[]
  conclude(adjusted: readonly number[]): Conclusion
}

export type Conclusion = Omit<ClaimAnalysis, 'id' | 'claim'>

/** Judges a claim by the cells of the experiments that have data on it; undefined where this run's do not suffice. */
export type Rule = (run: Run, groups: readonly CellGroup[], settings: Settings) => Finding | undefined

/** A rule whose intervals decide, for the first mesh that has what it takes. */
export function byMesh(
  judge: (run: Run, groups: readonly CellGroup[], settings: Settings, mesh: string) => Conclusion | undefined,
): Rule {
  return (run, groups, settings) => {
    const arms = groups.flatMap(({ cells }) => cells.flatMap(({ arm }) => run.armOf.get(arm) ?? []))
    const meshes = new Set(arms.flatMap(({ mesh, role }) => (role === 'subject' ? [mesh] : [])))
    const [conclusion] = [...meshes].flatMap((mesh) => judge(run, groups, settings, mesh) ?? [])
    return conclusion && { pValues: [], conclude: () => conclusion }
  }
}

/** What is concluded: of `figures` those that there are, and what would decide it where nothing does. */
export function concluded(
  verdict: Conclusion['verdict'],
  sentence: string,
  figures: readonly (readonly [label: string, estimate: Estimate | undefined])[],
  next: string,
): Conclusion {
  return {
    verdict,
    sentence,
    figures: figures.flatMap(([label, estimate]) => (estimate ? [{ label, estimate }] : [])),
    ...defined({ next: verdict === 'inconclusive' ? next : undefined }),
  }
}

/** The smallest difference between the two sides that this run would have found. */
export function couldSee({ difference, detectable }: PairedResult, unit: string): string {
  return difference.n < fewestFirm
    ? ''
    : ` The smallest difference that this run could have seen is ${figure(detectable(alpha))} ${unit}.`
}

/** Rounds that would decide the least decided of several differences. */
export function nextOf(differences: readonly Estimate[]): string {
  const worst = [...differences].sort((a, b) => ratioOf(b) - ratioOf(a))[0]
  return worst ? wanting(worst, 0) : 'more rounds'
}

/** Rounds that are wanting where an interval straddles its limit. */
export function wanting({ n, value, low, high }: Estimate, limit: number): string {
  return moreRounds(n, (high - low) / 2, Math.abs(value - limit) * 0.8)
}

/** Of a figure whose samples are processes: what is wanting where too few of them were measured, however many the rounds. */
export const wantingLives = `processes that are started anew, in ${fewestFirm} lives at least (--blocks ${fewestFirm} or more): rounds of one process do not tell what another takes`

/** Why an interval of rounds decides nothing, for the end of a part of a sentence; empty where there are lives enough. */
export function livesWords(lives: number): string {
  if (lives >= fewestFirm) return ''
  return lives === 1
    ? ', by rounds of one process of each, which do not tell what another takes'
    : `, by rounds of ${lives} processes of each, which do not tell what another takes`
}

function ratioOf({ value, low, high }: Estimate): number {
  return (high - low) / Math.max(Math.abs(value), Number.MIN_VALUE)
}
