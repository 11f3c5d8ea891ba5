/** `meshbench gate`: decides by a run whether a change may pass, with an exit code for CI. */
import { analyze } from '../../analyze/analyze.js'
import { tellCi } from '../ci.js'
import { UserError, exitCodes, type ExitCode } from '../../model/errors.js'
import { defaultGate, gate } from '../../analyze/gate.js'
import { readJournal } from '../../run/journal.js'
import type { GatePolicy } from '../../model.js'
import { gateAnnotations, gateLines, gateMarkdown } from '../../../reports/compare/gate-lines.js'
import { print } from '../print.js'

interface GateFlags {
  readonly inconclusive?: GatePolicy['inconclusive']
  readonly practical?: number
}

export async function gateCommand(run: string, flags: GateFlags): Promise<ExitCode> {
  const analysis = analyze(readJournal(run).entries)
  const configured = analysis.config.gate ?? defaultGate
  const { practical, inconclusive = configured.inconclusive } = flags
  const checks =
    practical === undefined ? configured.checks : configured.checks.map((check) => ({ ...check, practical }))
  if (analysis.thresholds.length === 0 && !analysis.arms.some(({ control }) => control !== undefined)) {
    throw new UserError(`${run} has neither variants nor thresholds: there is nothing to judge`, {
      hint: 'measure with --variant name=…, or put thresholds into the config',
    })
  }
  const result = gate(analysis, { ...configured, checks, inconclusive })
  for (const line of gateLines(result)) print(line)
  await tellCi({ summary: gateMarkdown(result), annotations: gateAnnotations(result) }, print)
  const passes = result.outcome === 'pass' || (result.outcome === 'inconclusive' && inconclusive === 'pass')
  return passes ? exitCodes.ok : exitCodes.thresholdFailed
}
