/** Charts whose loads are what is compared: one row for each arm under each load of an experiment. */
import type { ReadMetric } from '../../../harness/model.js'
import { controlCpu, controlLoads } from '../../../scenarios/experiments/control-plane.js'
import { firstAdded, firstLoads } from '../../../scenarios/experiments/first-packet.js'
import { readiness, startLoads, unserved } from '../../../scenarios/experiments/startup.js'
import { figureOf } from '../../../scenarios/registry.js'
import { sentence, unitLabel } from '../../formats/format.js'
import type { View } from '../../page/view.js'
import type { ChartBuilder } from '../chart.js'
import { estimateRows, type EstimateRow } from '../marks.js'

interface AcrossLoads {
  readonly experiment: string
  readonly title: string
  readonly caption: string
  readonly metric: ReadMetric
  /** What is drawn as a bar behind the interval, from zero. */
  readonly behind?: ReadMetric
  /** How a load's label begins → what the load is called here; others are left out. */
  readonly loads: Readonly<Record<string, string>>
}

interface Row extends EstimateRow {
  readonly load: string
}

/** Answers "what does an application lose while its mesh comes up?": from its first instant until its requests are answered. */
export const startTimeline = acrossLoads({
  experiment: 'startup',
  title: 'From an application’s first instant until its requests are answered',
  caption:
    'Bars: until what the workload brings was ready. Ticks: until requests were answered, counted from the application’s first instant; a new connection for each.',
  metric: unserved,
  behind: readiness,
  loads: {
    [startLoads.together]: 'started together',
    [startLoads.before]: 'waits for its hop',
    [startLoads.nothing]: 'spare starts',
  },
})

/** Answers "what does the first connection take?": what no handshake before it has paid for. */
export const firstConnection = acrossLoads({
  experiment: 'first-packet',
  title: 'What the first connection takes beyond those behind it',
  caption:
    'Response time of the first request through a hop that has just started, less the median of later ones. A path without handshakes shows what is the program’s own start.',
  metric: firstAdded,
  loads: { [firstLoads.cold]: 'knows nobody', [firstLoads.nothing]: 'spare starts' },
})

/** Answers "what does a control plane cost?": while nothing changes, and while proxies come and go. */
export const controlPlaneCost = acrossLoads({
  experiment: 'control-plane',
  title: 'CPU of the control plane, at rest and while proxies come and go',
  caption: 'Cores in use over the window. A mesh without a control plane has no row.',
  metric: controlCpu,
  loads: { [controlLoads.rest]: 'nothing changes', [controlLoads.churn]: 'proxies come and go' },
})

function acrossLoads(chart: AcrossLoads): ChartBuilder {
  const { metric, behind } = chart
  const columnOf = ({ title, unit }: ReadMetric) => `${title}, ${unitLabel(unit)}`
  return (view, book) => {
    const rows = rowsOf(view, chart)
    const [first] = rows
    if (!first) return undefined
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
      spec: (size) => estimateRows(rows, { title: columnOf(metric) }, size),
    }
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
