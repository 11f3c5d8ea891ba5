/**
 * Draws what was measured in steps against how many there were of something, one line an arm: memory by replicas of the
 * application, where a mesh becomes the larger one as two lines cross; and memory and what is carried by units of L7 capacity.
 */
import { unitText } from '../../../harness/analyze/words.js'
import type { Estimate } from '../../../harness/model.js'
import type { MetricChart } from '../../../scenarios/experiments/experiment.js'
import { figureOf } from '../../../scenarios/registry.js'
import { drawnBounds, sentence } from '../../formats/format.js'
import { figureWidth, type Size } from '../../page/theme.js'
import type { ArmView, View } from '../../page/view.js'
import type { FigureBook } from '../../page/figures.js'
import type { Chart } from '../chart.js'
import { datum, endLabels, endRoom, intervalMark, lineMark, linearAxis, pointMark } from '../marks.js'

interface Step {
  readonly arm: ArmView
  readonly count: number
  readonly figure: Estimate
}

function stepsOf(experiment: string, { metric, steps }: MetricChart, view: View): readonly Step[] {
  const { labelled = '', searched = false } = steps ?? {}
  const loads = view.loads.filter(
    (load) =>
      load.experiment === experiment &&
      load.loadLabel.includes(labelled) &&
      (load.load.ratePerSecond === undefined) === searched,
  )
  return view.subjects.flatMap((arm) =>
    loads.flatMap((load): Step[] => {
      const cell = view.cell(arm.id, load)
      const figure = cell && figureOf(cell, metric)
      return figure && figure.n > 0 ? [{ arm, count: load.load.workloads ?? 1, figure }] : []
    }),
  )
}

export function stepLines(
  experiment: string,
  declared: MetricChart,
  view: View,
  book: FigureBook,
): Chart | undefined {
  const { metric, title, caption } = declared
  const { of: [singular, several] = ['', ''], searched } = declared.steps ?? {}
  const over = searched ? 'the trials of each search' : 'rounds of the same processes'
  const unit = unitText[metric.unit]
  const steps = stepsOf(experiment, declared, view)
  const [first] = steps
  if (!first) return undefined
  const counts = [...new Set(steps.map(({ count }) => count))].sort((a, b) => a - b)
  const arms = view.subjects.filter((arm) => steps.some((step) => step.arm === arm))
  return {
    title,
    caption: `${caption}; 95 % intervals over ${over}, n = ${first.figure.n}.`,
    alternative: steps
      .map(({ arm, count, figure }) => `${arm.label} with ${count}: ${sentence(figure)}`)
      .join('; '),
    table: {
      columns: ['arm', ...counts.map((count) => `${count} ${count === 1 ? singular : several}, ${unit}`)],
      rows: arms.map((arm) => [
        arm.label,
        ...counts.map((count) =>
          book.cell(steps.find((step) => step.arm === arm && step.count === count)?.figure, {
            metric: metric.id,
            kind: 'value',
          }),
        ),
      ]),
    },
    spec: (size) => build(steps, counts, [several, unit], size),
  }
}

/** What is known on one side alone is drawn as a point. */
const drawn = (estimate: Estimate) =>
  estimate.beyond ? { low: estimate.value, high: estimate.value } : drawnBounds(estimate)

function build(
  steps: readonly Step[],
  counts: readonly number[],
  [several, unit]: readonly [string, string],
  size: Size,
): object {
  // Of a search that was cut short an interval may have nearly no end, beside which no point could be told from another.
  const top = Math.min(
    Math.max(...steps.map(({ figure }) => drawn(figure).high)) * 1.05,
    Math.max(...steps.map(({ figure }) => figure.value)) * 2,
  )
  const values = steps.map(({ arm, count, figure }) => ({
    ...datum(arm, figure, `${arm.label} with ${count}: ${sentence(figure)}`),
    arm: arm.key,
    count,
    low: drawn(figure).low,
    high: Math.min(drawn(figure).high, top),
  }))
  const room = endRoom(values, size)
  const across = { title: several, titleAnchor: 'end', values: counts }
  const x = linearAxis('count', [0, Math.max(...counts)], across)
  const y = linearAxis('value', [0, top], { title: unit, tickCount: 5 })
  const ends = values.filter(({ count }) => count === Math.max(...counts))
  return {
    width: figureWidth[size] - 56 - room,
    height: 240,
    data: { values },
    layer: [lineMark(x, y), intervalMark(x, y), pointMark(x, y), endLabels(ends, x, y, room - 9)],
  }
}
