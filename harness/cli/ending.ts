/** How a run ends for whoever called it: its exit code, and what a person is told beside the summary. Pure. */
import { defaultGate, fails } from '../analyze/gate.js'
import { topReason, remedyOf } from '../analyze/trust/reasons.js'
import { missingOf, standingsOf } from '../analyze/standings.js'
import { exitCodes, type ExitCode } from '../model/errors.js'
import type { Analysis } from '../model.js'

export interface Ending {
  readonly code: ExitCode
  /** What of the arms that were asked for is missing. */
  readonly missing: readonly string[]
  /** Set when nothing of what was asked for was measured, or the run failed: what to say, and what to do. */
  readonly problem?: { readonly message: string; readonly hint?: string }
}

export function endingOf(analysis: Analysis, message?: string): Ending {
  const standings = standingsOf(analysis)
  const missing = standings.flatMap((arm) => missingOf(arm))
  if (analysis.outcome === 'interrupted') return { code: exitCodes.interrupted, missing: [] }
  if (analysis.outcome === 'failed')
    return { code: exitCodes.runFailed, missing: [], problem: { message: message ?? 'the run failed' } }
  if (standings.every(({ state }) => state !== 'measured' && state !== 'incomplete')) {
    const top = topReason(analysis.trials)
    const remedy = top && remedyOf(top.text)
    const said = ['no arm that was asked for was measured:', ...missing].join('\n  ')
    const hint = remedy ?? 'the report lists every trial with its reason'
    return { code: exitCodes.runFailed, missing: [], problem: { message: said, hint } }
  }
  const policy = analysis.config.gate ?? defaultGate
  const failed = missing.length > 0 || analysis.thresholds.some((verdict) => fails(verdict, policy))
  return { code: failed ? exitCodes.thresholdFailed : exitCodes.ok, missing }
}
