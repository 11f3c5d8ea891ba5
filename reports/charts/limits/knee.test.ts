import { describe, expect, test } from 'vitest'
import { analyze } from '../../../harness/analyze/analyze.js'
import { oneSidedSearch } from '../../../harness/testdata/one-sided-search.js'
import { syntheticJournal } from '../../../harness/testdata/synthetic-journal.js'
import { createFigureBook } from '../../page/figures.js'
import { renderOpenMetrics } from '../../formats/openmetrics.js'
import { createView } from '../../page/view.js'
import { knee } from './knee.js'

const entries = syntheticJournal({
  rounds: 8,
  experiments: ['capacity'],
  arms: ['l4-only', 'l7-per-node'],
  invalidShare: 0,
  failedShare: 0,
})

describe('an arm whose search', () => {
  test('never passed is said to have carried nothing, and gets no figure', () => {
    const analysis = analyze(oneSidedSearch(entries, 'reference/l4-only', 'below'))
    const chart = knee(createView(analysis), createFigureBook())
    expect(chart?.title).toBe('L4 only kept p99 under 10 ms at no rate that was tried')
    const [, rate, ratio] = chart?.table.rows.find(([arm]) => arm === 'L4 only') ?? []
    expect(rate).toEqual({
      html: expect.stringMatching(/data-beyond="&#60;".*>&#60;\u202f15.6<\/data>$/) as string,
    })
    expect(ratio).toEqual({ html: expect.stringContaining('–') as string })
    expect(JSON.stringify(chart?.spec('wide'))).toContain('<\u202f15.6')
    const samples = renderOpenMetrics(analysis)
      .split('\n')
      .filter((line) => /^meshbench_throughput.*l4-only/.test(line))
    expect(samples).toEqual([expect.stringMatching(/bound="high"} 15.625$/)])
  })

  test('never failed has a figure that is a lower bound, and no part in the headline', () => {
    const analysis = analyze(oneSidedSearch(entries, 'reference/l4-only', 'above'))
    const chart = knee(createView(analysis), createFigureBook())
    expect(chart?.title).toMatch(/^L7 per node keeps .* fewer .* requests than a direct connection$/)
    expect(chart?.alternative).toContain('L4 only: ≥\u202f256\u202f000\u202freq/s')
  })
})
