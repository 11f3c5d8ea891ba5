/** Lines that a CI service shows beside a change: GitHub's workflow commands, one per threshold that did not pass. */
import type { Analysis } from '../../harness/model.js'
import { cleanText } from '../page/clean.js'

export type AnnotationLevel = 'error' | 'warning' | 'notice'

/** One workflow command. Untrusted text stays one line and one command. */
export function annotation(level: AnnotationLevel, title: string, message: string): string {
  const data = (text: string) =>
    cleanText(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
  const property = data(title).replaceAll(':', '%3A').replaceAll(',', '%2C')
  return `::${level} title=${property}::${data(message)}`
}

/** A failed threshold is an error, an undecided one a notice; what passed says nothing. */
export function thresholdAnnotations({ thresholds }: Pick<Analysis, 'thresholds'>): string[] {
  return thresholds.flatMap(({ state, sentence }) => {
    if (state === 'pass') return []
    const failed = state === 'fail'
    return [
      annotation(failed ? 'error' : 'notice', `Meshbench: threshold ${failed ? 'failed' : state}`, sentence),
    ]
  })
}
