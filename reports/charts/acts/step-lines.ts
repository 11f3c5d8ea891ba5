/**
 * Draws what was measured in steps against how many there were of something, one line an arm: memory by replicas of the
 * application, where a mesh becomes the larger one as two lines cross; and memory by units of L7 capacity.
 */
import type { TopLevelSpec } from 'vega-lite'
import type { Estimate, ReadMetric } from '../../../harness/model.js'
import { footprintLoads, meshMemory } from '../../../scenarios/experiments/footprint.js'
import { applicationMemory, l7Memory } from '../../../scenarios/experiments/scale-out.js'
import { figureOf } from '../../../scenarios/registry.js'
import { sentence } from '../../formats/format.js'
import { figureWidth, type Size } from '../../page/theme.js'
import type { ArmView, View } from '../../page/view.js'
import type { FigureBook } from '../../page/figures.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { datum, endLabels, endRoom, intervalMark, lineMark, pointMark } from '../marks.js'

interface Step {
  readonly arm: ArmView
  readonly count: number
  readonly memory: Estimate
}

interface Stepped {
  readonly experiment: string
  /** What loads that are drawn have in their label; absent: all are. */
  readonly labelled?: string
  readonly metric: ReadMetric
  /** What the steps are counts of: one, and several. */
  readonly of: readonly [string, string]
  readonly title: string
  readonly caption: string
}

const sizes = 'Proportional set size where the kernel tells it, under one total rate that does not grow'

export const footprintLines = stepLines({
  experiment: 'footprint',
  labelled: footprintLoads.load,
  metric: meshMemory,
  of: ['replica', 'replicas'],
  title: 'Memory of all hops by replicas of the application',
  caption: sizes,
})

export const scaleOutLines = stepLines({
  experiment: 'scale-out',
  metric: l7Memory,
  of: ['unit', 'units'],
  title: 'Memory of all L7 hops by units of L7 capacity',
  caption: `${sizes}; tunnels are not counted`,
})

export const scaleOutApplicationLines = stepLines({
  experiment: 'scale-out',
  metric: applicationMemory,
  of: ['unit', 'units'],
  title: 'Memory of the application by units of L7 capacity',
  caption: `${sizes}; a unit of sidecars comes with an application of its own`,
})

function stepLines(drawn: Stepped): ChartBuilder {
  return (view, book) => chartOf(drawn, view, book)
}

function chartOf(
  { experiment, labelled = '', metric, of: [one, several], title, caption }: Stepped,
  view: View,
  book: FigureBook,
): Chart | undefined {
  const loads = view.loads.filter(
    (load) =>
      load.experiment === experiment &&
      load.loadLabel.includes(labelled) &&
      // A searched load has no rate of its own.
      load.load.ratePerSecond !== undefined,
  )
  const steps = view.subjects.flatMap((arm) =>
    loads.flatMap((load): Step[] => {
      const cell = view.cell(arm.id, load)
      const memory = cell && figureOf(cell, metric)
      return memory && memory.n > 0 ? [{ arm, count: load.load.workloads ?? 1, memory }] : []
    }),
  )
  const [first] = steps
  if (!first) return undefined
  const counts = [...new Set(steps.map(({ count }) => count))].sort((a, b) => a - b)
  const arms = view.subjects.filter((arm) => steps.some((step) => step.arm === arm))
  return {
    title,
    caption: `${caption}; 95 % intervals over rounds of the same processes, n = ${first.memory.n}.`,
    alternative: steps
      .map(({ arm, count, memory }) => `${arm.label} with ${count}: ${sentence(memory)}`)
      .join('; '),
    table: {
      columns: ['arm', ...counts.map((count) => `${count} ${count === 1 ? one : several}, MiB`)],
      rows: arms.map((arm) => [
        arm.label,
        ...counts.map((count) => ({
          html: book.print(steps.find((step) => step.arm === arm && step.count === count)?.memory, {
            metric: metric.id,
            kind: 'value',
          }),
        })),
      ]),
    },
    spec: (size) => build(steps, counts, several, size),
  }
}

function build(steps: readonly Step[], counts: readonly number[], several: string, size: Size): TopLevelSpec {
  const values = steps.map(({ arm, count, memory }) => ({
    ...datum(arm, memory, `${arm.label} with ${count}: ${sentence(memory)}`),
    arm: arm.key,
    count,
  }))
  const room = endRoom(
    values.map(({ label }) => label),
    size,
  )
  const x = {
    field: 'count',
    type: 'quantitative',
    scale: { domain: [0, Math.max(...counts)], nice: false },
    axis: { title: several, titleAnchor: 'end', values: counts },
  }
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { domain: [0, Math.max(...values.map(({ high }) => high)) * 1.05], nice: false },
    axis: { title: 'MiB', tickCount: 5 },
  }
  const ends = values.filter(({ count }) => count === Math.max(...counts))
  return {
    width: figureWidth[size] - 56 - room,
    height: 240,
    data: { values },
    layer: [lineMark(x, y), intervalMark(x, y), pointMark(x, y), endLabels(ends, x, y, room - 9)],
  } as unknown as TopLevelSpec
}
