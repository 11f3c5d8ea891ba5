/** The marks that charts of estimates are made of: an axis of arms, the interval, the point in it, and its printed figure. */
import { figureWidth, ink, muted, type Size } from '../page/theme.js'

/** Arms down the side, in their order; `plotWidth` is what is left beside their labels. */
export function armAxis(labels: readonly string[], size: Size) {
  const labelWidth = Math.min(
    size === 'wide' ? 230 : 130,
    14 + 7.4 * Math.max(...labels.map((label) => label.length)),
  )
  return {
    plotWidth: figureWidth[size] - labelWidth - 24,
    rowHeight: { step: labels.length > 12 ? 26 : 44 },
    y: {
      field: 'arm',
      type: 'nominal',
      sort: labels,
      axis: { title: null, grid: false, labelColor: ink, labelLimit: labelWidth - 8 },
    },
  }
}

/**
 * A line from `low` to `high`, a tick at `value` in the row's `colour`, and `text` above it: the fields that every datum
 * has beside `arm` and `tip`. `offsetPx` moves all of them up within their row.
 */
export function estimateMarks(x: object, y: object, offsetPx = 0): object[] {
  const colour = { field: 'colour', type: 'nominal', scale: null }
  const description = { field: 'tip' }
  return [
    {
      mark: { type: 'rule', strokeWidth: 2, stroke: muted, strokeCap: 'round', yOffset: -offsetPx },
      encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y, description },
    },
    {
      mark: { type: 'tick', thickness: 4, height: 14, yOffset: -offsetPx },
      encoding: { x: { ...x, field: 'value' }, y, fill: colour, stroke: colour, description },
    },
    {
      mark: {
        type: 'text',
        align: 'center',
        dy: -11 - offsetPx,
        fontSize: 12,
        fontWeight: 600,
        fill: ink,
      },
      encoding: { x: { ...x, field: 'value' }, y, text: { field: 'text' }, description },
    },
  ]
}
