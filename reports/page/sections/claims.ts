/** The claims that this run decides, and those on which it holds no data. */
import type { FigureBook } from '../figures.js'
import type { View } from '../view.js'

/** Every claim, those without data included: `analyze` says what they would need. */
export function buildClaims(view: View, book: FigureBook) {
  return view.analysis.claims.map(({ id, claim, verdict, sentence, figures, next = '' }) => ({
    id,
    claim,
    chip: { kind: verdict.replace(' ', '-'), text: verdict },
    sentence,
    figures: figures.map(({ label, estimate }) => ({
      label,
      html: book.print(
        estimate,
        { metric: `claim.${id}`, kind: estimate.unit === 'ratio' ? 'ratio' : 'difference' },
        'sentence',
      ),
    })),
    next,
  }))
}
