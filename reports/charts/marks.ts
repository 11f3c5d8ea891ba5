/** The marks that charts are made of: axes of arms and of values, intervals, points, lines, and the figures beside them. */
import type { Estimate } from '../../harness/model.js'
import { drawnBounds, estimateText, sentence } from '../formats/format.js'
import { describe } from '../page/svg.js'
import { figureWidth, ink, muted, type Size } from '../page/theme.js'
import type { ArmView } from '../page/view.js'
import { defined } from '../../harness/model/defined.js'
import { domainWithZero } from './layout.js'

/** How a mark is told apart and what hovering says: fields that every datum of an arm has. */
export const byColour = { field: 'colour', type: 'nominal', scale: null }
export const byShape = { field: 'shape', type: 'nominal', scale: null }
export const tip = { field: 'tip' }
const name = { field: 'name' }

/** What marks read of an arm and a figure of it: where that lies, how it looks, and what hovering says. */
export function datum(arm: ArmView, estimate: Estimate, said: string) {
  const { key, label, colour, shape } = arm
  const told = { tip: describe(key, said), name: describe(key, label) }
  return { arm: label, value: estimate.value, ...drawnBounds(estimate), colour, shape, label, ...told }
}

/** Room for arms' labels down the side, in px. */
export function labelWidthOf(labels: readonly string[], size: Size): number {
  return Math.min(size === 'wide' ? 230 : 130, 14 + 7.4 * Math.max(...labels.map((label) => label.length)))
}

/** Arms down the side, in their order; `plotWidth` is what is left beside their labels. `steps`: height of a row of many arms, and of few. */
export function armAxis(
  values: readonly { readonly arm: string }[],
  size: Size,
  steps: readonly [number, number] = [26, 44],
) {
  const labels = [...new Set(values.map(({ arm }) => arm))]
  const labelWidth = labelWidthOf(labels, size)
  return {
    labelWidth,
    plotWidth: figureWidth[size] - labelWidth - 24,
    rowHeight: { step: labels.length > 12 ? steps[0] : steps[1] },
    y: {
      field: 'arm',
      type: 'nominal',
      sort: labels,
      axis: { title: null, grid: false, labelColor: ink, labelLimit: labelWidth - 8 },
    },
  }
}

/** An axis of figures that ends where it is told to. */
export function linearAxis(field: string, domain: readonly number[], axis: object | null) {
  return { field, type: 'quantitative', scale: { domain, nice: false }, axis }
}

/** One with figures as they are printed. */
export function valueAxis(domain: readonly [number, number], axis: object, field = 'value') {
  return linearAxis(field, domain, { titleAnchor: 'start', format: '.4~r', ...axis })
}

/** The same, logarithmic. */
export function logAxis(field: string, domain: readonly number[], axis: object) {
  return { field, type: 'quantitative', scale: { type: 'log' as const, domain, nice: false }, axis }
}

export function minutesAxis(tickCount: number) {
  return {
    field: 'minutes',
    type: 'quantitative',
    scale: { nice: false, padding: 6 },
    axis: { title: 'minutes since the start', titleAnchor: 'end', tickCount, grid: false },
  }
}

/** Milliseconds up the side, logarithmic where `log` says so. */
export function timeAxis(domain: readonly [number, number], log: boolean, title: string) {
  const axis = { title: log ? `${title} (logarithmic)` : title, tickCount: 6, format: '.4~r' }
  return log ? logAxis('ms', domain, axis) : linearAxis('ms', domain, axis)
}

/** Where "no difference" lies. */
export function zeroLine(x: object): object {
  return {
    data: { values: [{ zero: 0 }] },
    mark: { type: 'rule', stroke: muted },
    encoding: { x: { ...x, field: 'zero' } },
  }
}

/** Properties of a mark, as Vega-Lite names them. */
interface SpanLook {
  readonly stroke?: string
  readonly strokeWidth?: number
  readonly strokeCap?: string
  readonly opacity?: number
  readonly yOffset?: number
}

/** Level intervals from `low` to `high`; `mark` says how they look, in the arm's colour unless it names a stroke. */
export function spanMark(x: object, y: object, mark: SpanLook = {}): object {
  return {
    mark: { type: 'rule', strokeWidth: 2, strokeCap: 'round', ...mark },
    encoding: {
      x: { ...x, field: 'low' },
      x2: { field: 'high' },
      y,
      ...(mark.stroke === undefined ? { stroke: byColour } : {}),
      description: tip,
    },
  }
}

/** The printed figure, `text`, to the right of where `field` lies. */
export function figureMark(x: object, y: object, field = 'high', look: object = { fontWeight: 600 }): object {
  return {
    mark: { type: 'text', align: 'left', dx: 7, fontSize: 12, fill: ink, ...look },
    encoding: { x: { ...x, field }, y, text: { field: 'text' }, description: tip },
  }
}

/**
 * A line from `low` to `high`, a tick at `value` in the row's `colour`, and `text` above it: the fields that every datum
 * has beside `arm` and `tip`. `offsetPx` moves all of them up within their row.
 */
export function estimateMarks(x: object, y: object, offsetPx = 0): object[] {
  return [
    spanMark(x, y, { stroke: muted, yOffset: -offsetPx }),
    {
      mark: { type: 'tick', thickness: 4, height: 14, yOffset: -offsetPx },
      encoding: { x: { ...x, field: 'value' }, y, fill: byColour, stroke: byColour, description: tip },
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
      encoding: { x: { ...x, field: 'value' }, y, text: { field: 'text' }, description: tip },
    },
  ]
}

export interface EstimateRow {
  readonly arm: ArmView
  /** Unique among the rows. */
  readonly label: string
  readonly estimate: Estimate
  /** What is drawn as a bar behind the interval, from zero. */
  readonly behind?: Estimate | undefined
}

export function estimateRows(rows: readonly EstimateRow[], axis: object, size: Size): object {
  const values = rows.map(({ arm, label, estimate, behind }) => ({
    ...datum(arm, estimate, `${label}: ${sentence(estimate)}`),
    arm: label,
    behind: behind?.value ?? 0,
    zero: 0,
    text: estimateText(estimate).value,
  }))
  const { plotWidth, rowHeight, y } = armAxis(values, size)
  const ends = values.map(({ behind }) => ({ low: behind, high: behind }))
  const x = valueAxis(domainWithZero([...values, ...ends], 0.1), {
    tickCount: size === 'wide' ? 8 : 4,
    ...axis,
  })
  const bar = {
    mark: { type: 'bar', height: 10, fill: muted, opacity: 0.3 },
    encoding: { x: { ...x, field: 'zero' }, x2: { field: 'behind' }, y, description: tip },
  }
  return {
    width: plotWidth,
    height: rowHeight,
    data: { values },
    layer: [...(rows.some(({ behind }) => behind) ? [bar] : []), ...estimateMarks(x, y)],
  }
}

/** Values of an arm joined by a line in its `colour`; `by` is the field that tells lines apart. */
export function lineMark(x: object, y: object, by = 'arm', options: object = {}): object {
  return {
    mark: { type: 'line', strokeWidth: 2.25, ...options },
    encoding: { x, y, detail: { field: by, type: 'nominal' }, stroke: byColour, description: name },
  }
}

/** Upright intervals from `low` to `high`. */
export function intervalMark(x: object, y: object, mark: object = {}): object {
  return {
    mark: { type: 'rule', strokeWidth: 2, opacity: 0.7, ...mark },
    encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, stroke: byColour, description: tip },
  }
}

/** Points in an arm's `colour` and `shape`, set off from the line that they lie on. */
export function pointMark(x: object, y: object, size = 60): object {
  return {
    mark: { type: 'point', filled: true, size, opacity: 1, stroke: 'var(--paper)', strokeWidth: 1.5 },
    encoding: { x, y, fill: byColour, shape: byShape, description: tip },
  }
}

/** Names at the ends of lines instead of a legend: `values` have the axes' fields and `label`. */
export function endLabels(values: readonly object[], x: object, y: object, limit?: number): object {
  return {
    data: { values },
    mark: { type: 'text', align: 'left', dx: 9, fontSize: 12, fill: ink, ...defined({ limit }) },
    encoding: { x, y, text: { field: 'label' }, description: name },
  }
}

/** Room for names at the ends of lines, in px. */
export function endRoom(ends: readonly { readonly label: string }[], size: Size): number {
  return Math.min(size === 'wide' ? 210 : 120, 14 + 7.6 * Math.max(...ends.map(({ label }) => label.length)))
}
