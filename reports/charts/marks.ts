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

const colour = { field: 'colour', type: 'nominal', scale: null }
const tip = { field: 'tip' }
const name = { field: 'name' }

/** Values of an arm joined by a line in its `colour`; `by` is the field that tells lines apart. */
export function lineMark(x: object, y: object, by = 'arm', options: object = {}): object {
  return {
    mark: { type: 'line', strokeWidth: 2.25, ...options },
    encoding: { x, y, detail: { field: by, type: 'nominal' }, stroke: colour, description: name },
  }
}

/** Upright intervals from `low` to `high`. */
export function intervalMark(x: object, y: object): object {
  return {
    mark: { type: 'rule', strokeWidth: 2, opacity: 0.7 },
    encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, stroke: colour, description: tip },
  }
}

/** Points in an arm's `colour` and `shape`, set off from the line that they lie on. */
export function pointMark(x: object, y: object, size = 60): object {
  return {
    mark: { type: 'point', filled: true, size, opacity: 1, stroke: 'var(--paper)', strokeWidth: 1.5 },
    encoding: {
      x,
      y,
      fill: colour,
      shape: { field: 'shape', type: 'nominal', scale: null },
      description: tip,
    },
  }
}

/** Names at the ends of lines instead of a legend: `values` have the axes' fields and `label`. */
export function endLabels(values: readonly object[], x: object, y: object, limit?: number): object {
  return {
    data: { values },
    mark: { type: 'text', align: 'left', dx: 9, fontSize: 12, fill: ink, ...(limit ? { limit } : {}) },
    encoding: { x, y, text: { field: 'label' }, description: name },
  }
}

/** Room for names at the ends of lines, in px. */
export function endRoom(labels: readonly string[], size: Size): number {
  return Math.min(size === 'wide' ? 210 : 120, 14 + 7.6 * Math.max(...labels.map((label) => label.length)))
}
