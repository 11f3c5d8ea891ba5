import { expect, test } from 'vitest'
import { analyze } from '../../../harness/analyze/analyze.js'
import type { Analysis, Estimate } from '../../../harness/model.js'
import { syntheticJournal } from '../../../harness/testdata/synthetic-journal.js'
import { createFigureBook } from '../../page/figures.js'
import { createView, type View } from '../../page/view.js'
import { knee } from '../limits/knee.js'
import { scaleOut } from '../../../scenarios/experiments/scale-out.js'
import type { MetricChart } from '../../../scenarios/experiments/experiment.js'
import { stepLines } from './step-lines.js'

const drawn = (name: string, view: View) => {
  const declared = scaleOut.charts.find((chart) => chart.name === name) as MetricChart
  return stepLines('scale-out', declared, view, createFigureBook())
}

const arm = 'reference/l7-per-node'

/** Steps of units on one arm, each with the knee that is given. */
function steps(knees: readonly Partial<Estimate>[]): Analysis {
  const analysis = analyze(
    syntheticJournal({
      ...{ rounds: 8, experiments: ['capacity'], arms: ['l7-per-node'] },
      ...{ invalidShare: 0, failedShare: 0 },
    }),
  )
  const [cell] = analysis.cells.filter(({ arm: id }) => id === arm)
  if (!cell) throw new Error('the journal has a capacity')
  const cells = knees.map((rate, index) => ({
    ...cell,
    cell: `scale-out|${arm}|${index + 1} units, knee`,
    experiment: 'scale-out',
    loadLabel: `${index + 1} units of L7, knee`,
    load: { ...cell.load, workloads: index + 1 },
    throughput: { ...cell.throughput, ...rate },
  }))
  return { ...analysis, cells }
}

interface Point {
  readonly count: number
  readonly value: number
  readonly low: number
  readonly high: number
}

test('knees by units: each with its interval, of which no part leaves the plot', () => {
  const view = createView(
    steps([
      { value: 100, low: 90, high: 110 },
      { value: 200, low: 150, high: 40_000 },
      { value: 300, low: 0, high: 0, beyond: 'above' },
    ]),
  )
  const chart = drawn('scale-out-knees', view)
  const spec = chart?.spec('wide') as unknown as { data: { values: readonly Point[] } }
  expect(spec.data.values.map(({ count, value, low, high }) => [count, value, low, high])).toEqual([
    [1, 100, 90, 110],
    [2, 200, 150, 600],
    [3, 300, 300, 300],
  ])
  expect(chart?.table.columns).toEqual(['arm', '1 unit, req/s', '2 units, req/s', '3 units, req/s'])
  // The table has what the plot cuts off.
  expect(JSON.stringify(chart?.table.rows)).toContain('40000')
  // Of one knee for each arm there is none, and of a load whose rate is searched no memory is drawn.
  expect(knee(view, createFigureBook())).toBeUndefined()
  expect(drawn('scale-out-lines', view)).toBeUndefined()
})
