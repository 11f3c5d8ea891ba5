import { expect, test } from 'vitest'
import { analyze } from '../../../harness/analyze/analyze.js'
import { syntheticJournal } from '../../../harness/testdata/synthetic-journal.js'
import { createFigureBook } from '../../page/figures.js'
import { createView } from '../../page/view.js'
import { percentileCurve } from './percentile-curve.js'

const options = { rounds: 3, arms: ['l4-only'], durationMs: 300 } as const
const curve = (analysis: ReturnType<typeof analyze>) =>
  percentileCurve(createView(analysis), createFigureBook())

test('a curve that ends before p99 gives its tail no figure', () => {
  const analysis = analyze(syntheticJournal({ ...options, experiments: ['latency'] }))
  const cells = analysis.cells.map((cell) => ({
    ...cell,
    curve: cell.curve?.filter(({ percentile }) => percentile < 95) ?? [],
  }))
  const p99 = (chart: ReturnType<typeof curve>) => chart?.table.rows.map((row) => row[3])
  expect(p99(curve({ ...analysis, cells }))).toEqual(analysis.arms.map(() => '–'))
  expect(p99(curve(analysis))).not.toContain('–')
})

test('a closed loop has times from when a request was sent, not from when it was due', () => {
  const closed = curve(analyze(syntheticJournal({ ...options, experiments: ['saturation'] })))
  expect(closed?.caption).toMatch(/^Service time from the moment a request was sent/)
  expect(JSON.stringify(closed?.spec('wide'))).toContain('service time, ms')
  const open = curve(analyze(syntheticJournal({ ...options, experiments: ['latency'] })))
  expect(open?.caption).toMatch(/^Response time from the moment a request was due/)
})
