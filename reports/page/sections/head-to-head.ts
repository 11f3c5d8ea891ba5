/** L4-L7-L4 against L7-L7 of each mesh: the choice that a platform team has to make. */
import * as metrics from '../../../scenarios/metrics.js'
import type { Verdict } from '../../../harness/model.js'
import { escapeHtml } from '../clean.js'
import { armHtml, type FigureBook } from '../figures.js'
import { excludesZero, type View } from '../view.js'

export function headToHead(view: View, book: FigureBook) {
  return view.subjects
    .filter((arm) => arm.arm.path === 'l4-l7-l4')
    .flatMap((arm) => {
      const rival = view.subjects.find(
        (other) =>
          other.arm.path === 'l7-sidecar-to-sidecar' &&
          other.arm.mesh === arm.arm.mesh &&
          other.arm.variant === arm.arm.variant,
      )
      if (rival === undefined) return []
      const cpu = view.compare(arm.id, [metrics.cpu, metrics.addedCpu], { versus: rival.id })
      const time = view.compare(arm.id, [metrics.responseTime, metrics.serviceTime, metrics.addedTime], {
        versus: rival.id,
        percentile: 50,
      })
      const parts = [
        ...(cpu === undefined
          ? []
          : [
              `used ${book.print(cpu.ratio, { metric: cpu.metric, kind: 'ratio' }, 'change').replace(/(more|less|as much)/, '$1 CPU')}`,
            ]),
        ...(time === undefined
          ? []
          : [
              `${excludesZero(time.difference) ? 'was' : 'differed by'} ${book.print(time.difference, { metric: time.metric, percentile: 50, kind: 'difference' }, 'slower')} at the median`,
            ]),
      ]
      if (parts.length === 0) return []
      const decisive = cpu ?? time
      const verdict = decisive?.verdict ?? 'inconclusive'
      const corrected =
        decisive && verdict === 'inconclusive' && excludesZero(decisive.difference)
          ? ' Its own interval leaves out zero; corrected for what was compared with it (Holm), this is open.'
          : ''
      const claim = view.analysis.claims.find(({ id }) => id === 'C1')
      const next =
        verdict === 'inconclusive' && claim?.next !== undefined
          ? ` What would decide it: ${escapeHtml(claim.next)}.`
          : ''
      return [
        {
          question: `With L7 in the path, is ${arm.label} cheaper than ${rival.label}?`,
          html: `${armHtml(arm)} ${parts.join(' and ')}, against ${armHtml(rival)}.${corrected}${next}`,
          chip: { kind: verdict, text: verdictText(verdict) },
        },
      ]
    })
}

function verdictText(verdict: Verdict): string {
  return verdict === 'better' ? 'cheaper' : verdict === 'worse' ? 'dearer' : 'inconclusive'
}
