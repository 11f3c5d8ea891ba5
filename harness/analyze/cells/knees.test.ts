import { describe, expect, it } from 'vitest'
import { analyze } from '../analyze.js'
import { kneesApart } from './knees.js'
import type { Estimate, JournalEntry } from '../../model.js'
import { oneSidedSearch } from '../../testdata/one-sided-search.js'
import { trueCosts } from '../../testdata/synthetic-journal.js'
import { badNumbers, comparisonOf, smallJournal } from '../../testing/analysis.js'

const l7l7 = 'reference/l7-sidecar-to-sidecar'

describe('a search for the knee', () => {
  const entries = smallJournal({ experiments: ['capacity'], rounds: 12 })
  const analysis = analyze(entries)
  const cellOf = (arm: string) => {
    const cell = analysis.cells.find(({ arm: id }) => id === arm)
    if (!cell?.knee) throw new Error(`no knee of ${arm}`)
    return { ...cell, knee: cell.knee }
  }

  it('brackets the rate that the synthetic CPUs can pay, for every arm', () => {
    for (const arm of analysis.arms) {
      const path = analysis.paths.find(({ name }) => name === arm.path)
      if (!path) throw new Error('incomplete')
      const { throughput, knee } = cellOf(arm.id)
      // Two CPUs, the path's cost and the generator's 95 µs a request; 10 ms of queue are borne.
      const truth = 2e6 / (trueCosts(arm, path).cpuUs + 95)
      expect(throughput.value / truth).toBeGreaterThan(0.85)
      expect(throughput.value / truth).toBeLessThan(1.2)
      expect(throughput.low).toBeLessThanOrEqual(throughput.value)
      expect(throughput.high).toBeGreaterThanOrEqual(throughput.value)
      expect(knee.trials.some(({ passed }) => passed)).toBe(true)
      expect(knee.trials.some(({ passed }) => !passed)).toBe(true)
      expect(['precise', 'probes']).toContain(knee.end)
    }
    expect(badNumbers(analysis)).toEqual([])
  })

  it('compares knees, and makes no figure of trials at different rates', () => {
    const slower = comparisonOf(analysis, 'throughput', l7l7, 'none/baseline')
    expect(slower.verdict).toBe('worse')
    expect(slower.ratio.value).toBeLessThan(0.7)
    expect(analysis.comparisons.map(({ metric }) => metric)).not.toContain('latency.response')
    expect(analysis.noise).toEqual([])
    expect(cellOf(l7l7)).not.toHaveProperty('response')
    expect(cellOf(l7l7).errorShare).toBe(0)
  })

  it('compares no knee that lies beyond the rates that were tried, and lets no threshold pass on the unknown side', () => {
    const limits = [{ max: 1e6 }, { min: 1e6 }, { max: 10 }, { min: 10 }]
    const judged = (beyond: 'above' | 'below') => {
      const thresholds = limits.map((limit) => ({ metric: 'throughput', arm: l7l7, ...limit }) as const)
      const entries = smallJournal({ experiments: ['capacity'], rounds: 6, thresholds })
      return analyze(oneSidedSearch(entries, l7l7, beyond))
    }
    const [below, above] = [judged('below'), judged('above')]
    for (const [{ cells, comparisons }, beyond] of [
      [below, 'below'],
      [above, 'above'],
    ] as const) {
      const cell = cells.find(({ arm }) => arm === l7l7)
      expect(cell?.throughput).toMatchObject({ beyond, value: beyond === 'below' ? 62.5 : 64_000 })
      expect(comparisons.filter(({ arm, versus }) => arm === l7l7 || versus === l7l7)).toEqual([])
    }
    expect(below.thresholds.map(({ state }) => state)).toEqual([
      'pass',
      'fail',
      'inconclusive',
      'inconclusive',
    ])
    expect(above.thresholds.map(({ state }) => state)).toEqual([
      'inconclusive',
      'inconclusive',
      'fail',
      'pass',
    ])
    expect(above.thresholds[0]?.sentence).toContain('is ≥ 64 000 req/s; expected at most 1 000 000 req/s')
  })

  it('counts rounds as done when the searches are over, and says when they are not', () => {
    expect(analysis.rounds.done).toBe(analysis.rounds.planned)
    const cut = analyze(entries.slice(0, 20))
    expect(cut.cells.map(({ knee }) => knee?.end)).toContain('unfinished')
    expect(cut.warnings.join('\n')).toContain('the search did not come to its end')
  })

  it('is not over when the last of its trials was interrupted', () => {
    const begun = entries.slice(0, 20)
    const last = begun.findLast((entry) => entry.type === 'trial')
    const ending = (state: 'ok' | 'failed') =>
      begun.map((entry): JournalEntry => {
        if (entry.type === 'run') {
          const order = entry.plan.order.filter(({ index }) => index <= (last?.index ?? 0))
          return { ...entry, plan: { ...entry.plan, order } }
        }
        if (entry !== last || state === 'ok') return entry
        return { ...last, state, error: { kind: 'interrupted', message: 'interrupted' } }
      })
    const endOf = (state: 'ok' | 'failed') =>
      analyze(ending(state)).cells.find(({ cell }) => cell === last?.cell)?.knee?.end
    expect([endOf('ok'), endOf('failed')]).toEqual(['probes', 'unfinished'])
  })
})

it.each([
  [1200, true, 'further than both may be off, though their intervals meet'],
  [1080, false, 'nearer than that'],
])('a knee of %i req/s, within 10 %% each, against one of 1 000: apart %s, %s', (value, apart) => {
  const knee = (rate: number): Estimate => ({
    ...{ value: rate, low: rate / 1.1, high: rate * 1.1, unit: 'req/s' },
    ...{ level: 0.95, n: 9, method: '', cells: [] },
  })
  expect(kneesApart(knee(value), knee(1000))).toBe(apart)
  expect(kneesApart(knee(1000), knee(value))).toBe(apart)
})
