/** What can be said of each arm that was asked for: the one answer that run, gate, formats and exit codes read. Pure. */
import type { Analysis, Arm, CellAnalysis } from '../model.js'

/** `incomplete`: measured under some loads alone. `not reached`: the run ended before its first trial. */
export type Standing = 'measured' | 'incomplete' | 'no valid trials' | 'never came up' | 'not reached'

export interface Missing {
  readonly what: 'did not come up' | 'has no valid trial' | 'was not reached'
  /** Experiment and label of the load; absent where it is all of them. */
  readonly load?: string
  /** Empty where nothing was tried. */
  readonly why: string
}

export interface ArmStanding {
  readonly arm: string
  readonly state: Standing
  readonly missing: readonly Missing[]
}

export type Judged = Pick<Analysis, 'arms' | 'cells' | 'failures' | 'trials'>

/** One standing for each arm that was asked for: the subjects, or the baselines where nothing else was. */
export function standingsOf(analysis: Judged): ArmStanding[] {
  const subjects = analysis.arms.filter(({ role }) => role === 'subject')
  return (subjects.length > 0 ? subjects : analysis.arms).map((arm) => standingOf(analysis, arm))
}

/** What is missing of them, a sentence each. */
export const missingOf = ({ arm, missing }: ArmStanding, label = arm): string[] =>
  missing.map((each) => `${label} ${whatOf(each)}${each.why === '' ? '' : `: ${each.why}`}`)

/** `has no valid trial (latency, 1000/s c16 1024B http1)`. */
export const whatOf = ({ what, load }: Missing): string => (load === undefined ? what : `${what} (${load})`)

/** Those of which something is missing. */
export const unmeasured = (analysis: Judged): ArmStanding[] =>
  standingsOf(analysis).filter(({ state }) => state !== 'measured')

/** Those of which nothing was measured. */
export const notMeasured = (analysis: Judged): ArmStanding[] =>
  unmeasured(analysis).filter(({ state }) => state !== 'incomplete')

function standingOf(analysis: Judged, { id }: Arm): ArmStanding {
  const cells = analysis.cells.filter(({ arm }) => arm === id)
  const measured = cells.filter(({ trials }) => trials.ok > 0)
  const failure = analysis.failures[id]
  if (measured.length === 0 && failure)
    return { arm: id, state: 'never came up', missing: [{ what: 'did not come up', why: failure.message }] }
  const missing = cells.filter(({ trials }) => trials.ok === 0).map((cell) => whyNot(analysis, cell))
  if (missing.length === 0) return { arm: id, state: 'measured', missing }
  if (measured.length > 0) return { arm: id, state: 'incomplete', missing }
  const tried = cells.some(({ trials }) => trials.invalid + trials.failed > 0)
  return { arm: id, state: tried ? 'no valid trials' : 'not reached', missing }
}

function whyNot(analysis: Judged, { cell, experiment, loadLabel, trials }: CellAnalysis): Missing {
  const load = `${experiment}, ${loadLabel}`
  const bad = trials.invalid + trials.failed
  if (bad === 0) return { what: 'was not reached', load, why: '' }
  const last = analysis.trials.findLast((trial) => trial.cell === cell)
  const why = last?.error?.message ?? last?.reasons.join('; ') ?? ''
  return { what: 'has no valid trial', load, why: `${why} (the last of ${bad} trials)` }
}
