import { expect, test } from 'vitest'
import { analyze } from '../../../harness/analyze/analyze.js'
import type { Analysis } from '../../../harness/model.js'
import { readJournal } from '../../../harness/run/journal.js'
import { syntheticJournal } from '../../../harness/testdata/synthetic-journal.js'
import { createFigureBook } from '../../page/figures.js'
import { createView } from '../../page/view.js'
import { noise } from '../trust/noise.js'
import { addedLatency } from './added-latency.js'

const titleOf = (analysis: Analysis) => addedLatency(createView(analysis), createFigureBook())?.title

test('a title calls no delay nothing that is not certain, and rounds a figure as its interval is rounded', () => {
  const analysis = analyze(readJournal('harness/testdata/journals/quick-local').entries)
  expect(titleOf(analysis)).toBe('At the median L4 only adds an amount that is not certain, L4-L7-L4 2.0 ms')
  const unsure = (list: Analysis['comparisons']) =>
    list.map((comparison) => ({ ...comparison, verdict: 'inconclusive' as const }))
  const comparisons = unsure(analysis.comparisons)
  expect(titleOf({ ...analysis, comparisons })).toBe('What each path adds at the median is not certain')
  const arms = analysis.arms.filter(({ path }) => path !== 'l4-l7-l4')
  expect(titleOf({ ...analysis, arms, comparisons })).toBe('What L4 only adds at the median is not certain')
})

test('of one round points are drawn, whose bounds are a convention, and no noise floor', () => {
  const view = createView(
    analyze(syntheticJournal({ rounds: 1, experiments: ['latency'], invalidShare: 0, failedShare: 0 })),
  )
  const chart = addedLatency(view, createFigureBook())
  const drawn = JSON.stringify([chart?.spec('wide'), noise(view, createFigureBook())?.spec('wide')])
  const intervals = [...drawn.matchAll(/"value":([-\d.e]+),"low":([-\d.e]+),"high":([-\d.e]+)/g)]
  expect(intervals.length).toBeGreaterThan(10)
  for (const [, value, low, high] of intervals) expect([low, high]).toEqual([value, value])
  expect(JSON.stringify(chart?.spec('wide'))).not.toContain('"to":')
  expect(chart?.caption).toContain('n = 1 round, which has no interval')
  expect(noise(view, createFigureBook())?.title).toMatch(/^Too few rounds to tell/)
})
