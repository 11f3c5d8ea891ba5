import { describe, expect, it } from 'vitest'
import { analyze } from '../analyze.js'
import type { SyntheticOptions } from '../../testdata/synthetic-journal.js'
import { estimateText } from '../../../reports/formats/format.js'
import { badNumbers, comparisonOf, failedTrial, smallJournal } from '../../testing/analysis.js'

const whole = analyze(smallJournal({ experiments: ['latency', 'saturation'] }))

describe('claims', () => {
  const verdicts = (options: SyntheticOptions) =>
    Object.fromEntries(analyze(smallJournal(options)).claims.map(({ id, verdict }) => [id, verdict]))

  it('are supported where an L7 hop is expensive and a tunnel cheap', () => {
    expect(
      verdicts({ costs: { l4HopCpuUs: 15, l4HopMs: 0.02, l7HopCpuUs: 120, l7HopMs: 0.2 } }),
    ).toMatchObject({
      C1: 'supported',
      C2: 'supported',
      C3: 'supported',
      C4: 'no data',
    })
  })

  it('are refuted where it is the other way round', () => {
    expect(
      verdicts({ costs: { l4HopCpuUs: 100, l4HopMs: 0.2, l7HopCpuUs: 40, l7HopMs: 0.08 } }),
    ).toMatchObject({
      C1: 'refuted',
      C2: 'refuted',
      C3: 'refuted',
    })
  })

  it('do not call an L7 hop the expensive part that costs little more than an L4 hop', () => {
    const { C3 } = verdicts({ costs: { l4HopCpuUs: 100, l4HopMs: 0.2, l7HopCpuUs: 115, l7HopMs: 0.23 } })
    expect(C3).toBe('refuted')
  })

  it('stay open where they are as good as equal, and say what would decide them', () => {
    const claim = analyze(smallJournal({ rounds: 8, costs: { l4HopCpuUs: 39, l4HopMs: 0.065 } })).claims[0]
    expect(claim?.verdict).toBe('inconclusive')
    expect(claim?.next).toMatch(/more rounds/)
  })

  it('name the correction where an interval leaves out what the verdict does not', () => {
    const near = { l4HopCpuUs: 39, l4HopMs: 0.062 }
    const arms = ['l4-only', 'l4-l7-l4', 'l7-sidecar-to-sidecar']
    const isOff = ({ low, high }: { low: number; high: number }) => low > 0 || high < 0
    let corrected = 0
    for (const seed of [1, 2, 3, 30, 38]) {
      const options = { seed, rounds: 8, arms, durationMs: 200, ratesPerSecond: [500], costs: near }
      const [c1] = analyze(smallJournal(options)).claims
      const [cpu, median] = ['CPU of L4-L7-L4 less', 'median response time of L4-L7-L4 less'].map(
        (start) => c1?.figures.find(({ label }) => label.startsWith(start))?.estimate,
      )
      const [cpuWords = '', medianWords = ''] = c1?.sentence.split('; ') ?? []
      for (const [words, estimate] of [
        [cpuWords, cpu],
        [c1?.sentence.slice(cpuWords.length) ?? medianWords, median],
      ] as const) {
        if (!estimate || !isOff(estimate) || !/^[^:]*cannot be told apart/.test(words)) continue
        corrected++
        expect(words).toMatch(
          /cannot be told apart once corrected for all tests of the claims \(Holm, p = 0\.\d/,
        )
      }
    }
    expect(corrected).toBeGreaterThan(0)
  })

  it('give a difference the interval that the comparison of the same two has', () => {
    const compared = (metric: string, percentile?: number) =>
      comparisonOf(whole, metric, 'reference/l4-l7-l4', 'reference/l7-sidecar-to-sidecar', percentile)
        .difference
    for (const [label, { low, high }] of [
      ['CPU of L4-L7-L4 less', compared('cpu.per1000Requests')],
      ['median response time of L4-L7-L4 less', compared('latency.response', 50)],
    ] as const) {
      const told = whole.claims[0]?.figures.find((figure) => figure.label.startsWith(label))?.estimate
      expect(told?.low).toBeCloseTo(low, 12)
      expect(told?.high).toBeCloseTo(high, 12)
    }
  })

  it('round a ratio as the tables beside them do', () => {
    const ratios = whole.claims.flatMap(({ sentence, figures }) =>
      figures
        .filter(({ estimate }) => estimate.unit === 'ratio')
        .map(({ estimate }) => ({ sentence, estimate })),
    )
    expect(ratios.length).toBeGreaterThan(3)
    for (const { sentence, estimate } of ratios) {
      const { value, low, high } = estimateText(estimate)
      expect(sentence).toMatch(new RegExp(`(^| )${value}( times)? \\(${low} to ${high}\\)`))
    }
  })

  it('give the break-even of C1: the L7 hop at which both paths cost the same', () => {
    const { figures, sentence } = whole.claims[0] ?? { figures: [], sentence: '' }
    const breakEven = figures.find(({ label }) => label.startsWith('break-even'))?.estimate
    // Two tunnels of 42 µs; the reference L7 hop costs the same as waypoint and as sidecar. Noise slows all by some %.
    expect(breakEven?.value).toBeGreaterThan(80)
    expect(breakEven?.value).toBeLessThan(96)
    expect(sentence).toContain('cheaper one where an L7 hop costs more than')
  })

  describe('where each mesh has an environment of its own', () => {
    const product = {
      meshes: {
        other: { paths: ['l4-only'] },
        sidecars: { paths: ['l7-sidecar-to-sidecar'], family: 'product' },
        tunnels: { paths: ['l4-only', 'l4-l7-l4'], family: 'product' },
      },
    }
    const dearL7 = { l4HopCpuUs: 15, l4HopMs: 0.02, l7HopCpuUs: 120, l7HopMs: 0.2 }
    const figureOf = (options: SyntheticOptions, id: string, label: string) =>
      analyze(smallJournal(options))
        .claims.find((claim) => claim.id === id)
        ?.figures.find((figure) => figure.label.startsWith(label))?.estimate.value ?? Number.NaN

    it("set one product's meshes against each other, each less its own baseline", () => {
      const { verdict, sentence } = analyze(smallJournal({ ...product, costs: dearL7 })).claims[0] ?? {}
      expect(verdict).toBe('supported')
      expect(sentence).toContain(
        "On product (tunnels/l4-l7-l4, sidecars/l7-sidecar-to-sidecar, tunnels/l4-only, each less its own cluster's baseline)",
      )
      expect(sentence).toContain('L4-L7-L4 added')
    })

    it('a host that is slower while one mesh has its turn changes no verdict', () => {
      const slow = (mesh: string) =>
        Object.fromEntries(['baseline', 'baseline-twin'].map((path) => [`${mesh}/${path}`, { cpu: 3 }]))
      const label = 'CPU per request of an L4 hop'
      const quiet = figureOf(product, 'C3', label)
      expect(quiet).toBeGreaterThan(0)
      // The baselines of meshes that carry nothing of it.
      expect(figureOf({ ...product, effect: slow('other') }, 'C3', label)).toBeCloseTo(quiet, 6)
      expect(figureOf({ ...product, effect: slow('sidecars') }, 'C3', label)).toBeCloseTo(quiet, 6)
      // Its own.
      expect(figureOf({ ...product, effect: slow('tunnels') }, 'C3', label)).toBeLessThan(quiet)
    })
  })

  it('have no data when the arms never had a valid trial in the same round', () => {
    const entries = smallJournal({ rounds: 4 }).map((entry) => {
      if (entry.type !== 'trial') return entry
      const out = entry.cell.includes('l4-l7-l4') ? entry.round % 2 === 0 : entry.round % 2 === 1
      return out ? failedTrial(entry) : entry
    })
    const analysis = analyze(entries)
    expect(analysis.claims[0]?.verdict).toBe('no data')
    expect(analysis.claims[2]?.verdict).not.toBe('no data')
    expect(badNumbers(analysis)).toEqual([])
  })

  it('have no data without the arms that they speak of', () => {
    const analysis = analyze(smallJournal({ arms: ['l7-per-node'] }))
    expect(analysis.claims).toHaveLength(12)
    expect(analysis.claims.every(({ verdict, next }) => verdict === 'no data' && next !== undefined)).toBe(
      true,
    )
  })
})
