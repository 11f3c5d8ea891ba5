/** The form of charts whose loads are what is compared: one row for each arm under each load of an experiment. */
import type { TopLevelSpec } from 'vega-lite'
import type { Estimate, ReadMetric } from '../../../harness/model.js'
import { figureOf } from '../../../scenarios/registry.js'
import { estimateText, sentence, unitLabel } from '../../formats/format.js'
import { muted, type Size } from '../../page/theme.js'
import type { FigureBook } from '../../page/figures.js'
import type { ArmView, View } from '../../page/view.js'
import type { Chart } from '../chart.js'
import { domainWithZero } from '../layout.js'
import { armAxis, datum, estimateMarks } from '../marks.js'

export interface AcrossLoads {
  readonly experiment: string
  readonly title: string
  readonly caption: string
  readonly metric: ReadMetric
  /** What is drawn as a bar behind the interval, from zero. */
  readonly behind?: ReadMetric
  /** How a load's label begins → what the load is called here; others are left out. */
  readonly loads: Readonly<Record<string, string>>
}

interface Row {
  readonly arm: ArmView
  readonly label: string
  readonly load: string
  readonly estimate: Estimate
  readonly behind: Estimate | undefined
}

/** Undefined where the run has no data for it. */
export function acrossLoads(view: View, book: FigureBook, chart: AcrossLoads): Chart | undefined {
  const { metric, behind } = chart
  const rows = rowsOf(view, chart)
  const [first] = rows
  if (!first) return undefined
  const columnOf = ({ title, unit }: ReadMetric) => `${title}, ${unitLabel(unit)}`
  return {
    title: chart.title,
    caption: `${chart.caption} 95 % intervals, n = ${first.estimate.n} rounds.`,
    alternative: rows.map(({ label, estimate }) => `${label}: ${sentence(estimate)}`).join('; '),
    table: {
      columns: ['arm', 'load', columnOf(metric), ...(behind ? [columnOf(behind)] : [])],
      rows: rows.map((row) => [
        row.arm.label,
        row.load,
        book.cell(row.estimate, { metric: metric.id, kind: 'value' }),
        ...(behind ? [book.cell(row.behind, { metric: behind.id, kind: 'value' })] : []),
      ]),
    },
    spec: (size) => build(rows, columnOf(metric), size),
  }
}

function rowsOf(view: View, { experiment, loads, metric, behind }: AcrossLoads): Row[] {
  return view.subjects.flatMap((arm) =>
    view.loads.flatMap((load): Row[] => {
      const [, name] = Object.entries(loads).find(([start]) => load.loadLabel.startsWith(start)) ?? []
      const cell = load.experiment === experiment ? view.cell(arm.id, load) : undefined
      const estimate = cell && figureOf(cell, metric)
      if (name === undefined || !estimate || estimate.n === 0) return []
      const back = cell && behind && figureOf(cell, behind)
      return [{ arm, load: name, label: `${arm.label}, ${name}`, estimate, behind: back }]
    }),
  )
}

function build(rows: readonly Row[], title: string, size: Size): TopLevelSpec {
  const { plotWidth, rowHeight, y } = armAxis(
    rows.map(({ label }) => label),
    size,
  )
  const known = rows.flatMap(({ estimate: { low, high }, behind }) => [low, high, behind?.value ?? 0])
  const x = {
    type: 'quantitative',
    scale: { domain: domainWithZero(known, 0.1) },
    axis: { title, titleAnchor: 'start', tickCount: size === 'wide' ? 8 : 4 },
  }
  const values = rows.map(({ arm, label, estimate, behind }) => ({
    ...datum(arm, estimate, `${label}: ${sentence(estimate)}`),
    arm: label,
    behind: behind?.value ?? 0,
    zero: 0,
    text: estimateText(estimate).value,
  }))
  const bar = {
    mark: { type: 'bar', height: 10, fill: muted, opacity: 0.3 },
    encoding: {
      x: { ...x, field: 'zero' },
      x2: { field: 'behind' },
      y,
      description: { field: 'tip' },
    },
  }
  return {
    width: plotWidth,
    height: rowHeight,
    data: { values },
    layer: [...(rows.some(({ behind }) => behind) ? [bar] : []), ...estimateMarks(x, y)],
  } as unknown as TopLevelSpec
}
