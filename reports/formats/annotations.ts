/** Lines that a CI service shows beside a change: GitHub's workflow commands, one per threshold that did not pass. */
import { defaultGate, fails } from '../../harness/analyze/gate.js'
import { unmeasured, whatOf, type ArmStanding, type Judged } from '../../harness/analyze/standings.js'
import type { Analysis, GatePolicy } from '../../harness/model.js'
import { cleanText } from '../page/clean.js'

export type AnnotationLevel = 'error' | 'warning' | 'notice'

/** One workflow command. Untrusted text stays one line and one command. */
export function annotation(level: AnnotationLevel, title: string, message: string): string {
  const data = (text: string) =>
    cleanText(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
  const property = data(title).replaceAll(':', '%3A').replaceAll(',', '%2C')
  return `::${level} title=${property}::${data(message)}`
}

/** An arm that was asked for and of which something is missing is an error. */
export function standingAnnotations(standings: readonly ArmStanding[]): string[] {
  return standings.flatMap(({ arm, missing }) =>
    missing.map((each) => annotation('error', `Meshbench: ${arm} ${whatOf(each)}`, each.why)),
  )
}

/** A threshold that fails the gate, for want of data too, is an error, an undecided one a notice; what passed says nothing. */
export function thresholdAnnotations(
  { thresholds }: Pick<Analysis, 'thresholds'>,
  policy: Pick<GatePolicy, 'noData'> = defaultGate,
): string[] {
  return thresholds.flatMap((verdict) => {
    const { state, sentence } = verdict
    if (state === 'pass') return []
    return [
      annotation(
        fails(verdict, policy) ? 'error' : 'notice',
        `Meshbench: threshold ${state === 'fail' ? 'failed' : state}`,
        sentence,
      ),
    ]
  })
}

export const runAnnotations = (analysis: Judged & Pick<Analysis, 'thresholds' | 'config'>): string[] => [
  ...standingAnnotations(unmeasured(analysis)),
  ...thresholdAnnotations(analysis, analysis.config.gate),
]
