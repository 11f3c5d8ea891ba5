import { describe, expect, it } from 'vitest'
import { analyze } from './analyze.js'
import { check } from './check.js'
import { comparePaired } from './estimates.js'
import { gate } from './gate.js'
import type { Threshold } from '../model.js'
import { gateLines } from '../../reports/compare/gate-lines.js'
import { syntheticJournal } from '../testdata/synthetic-journal.js'

const arm = 'reference/l4-l7-l4'
const relativeTo = 'reference/l7-sidecar-to-sidecar'
const options = { experiments: ['latency'], durationMs: 400, invalidShare: 0, failedShare: 0 } as const

const ratios: readonly Threshold[] = [
  { metric: 'cpu.per1000Requests', arm, relativeTo, max: 1.5 },
  { metric: 'cpu.added', arm, relativeTo, max: 1.5 },
  { metric: 'latency.added', percentile: 99, arm, relativeTo: 'reference/l4-only', max: 100 },
  { metric: 'latency.response', percentile: 50, arm, max: 0.2, absolute: true },
  { metric: 'latency.service', percentile: 50, arm, relativeTo, max: 2 },
  { metric: 'memory.rss', arm, max: 1000, absolute: true },
  { metric: 'memory.added', arm, max: 100 },
  { metric: 'throughput', arm, min: 990, absolute: true },
  { metric: 'errors.share', arm, max: 0 },
]
// An analysis makes the comparisons that its thresholds ask for; what they are limited to is judged later.
const measured = analyze(syntheticJournal({ ...options, thresholds: ratios }))

const verdicts = (...thresholds: Threshold[]) =>
  check({ ...measured, config: { ...measured.config, thresholds } })
const states = (...thresholds: Threshold[]) => verdicts(...thresholds).map(({ state }) => state)

describe('check', () => {
  it('passes what lies below its limit with its whole interval, fails what lies above, and leaves the rest open', () => {
    // L4-L7-L4 adds some 0.28 ms at the median.
    expect(
      states(
        { metric: 'latency.added', percentile: 50, arm, max: 0.5 },
        { metric: 'latency.added', percentile: 50, arm, max: 0.1 },
        { metric: 'cpu.per1000Requests', arm, relativeTo, max: 1.02 },
        { metric: 'latency.added', percentile: 50, arm, min: 0.1 },
        { metric: 'latency.added', percentile: 50, arm, min: 0.5 },
      ),
    ).toEqual(['pass', 'fail', 'inconclusive', 'pass', 'fail'])
  })

  it('judges ratios of costs, of added costs, and absolute figures', () => {
    const expected = ['pass', 'pass', 'pass', 'fail', 'pass', 'pass', 'fail', 'pass', 'pass']
    expect(measured.thresholds.map(({ state }) => state)).toEqual(expected)
    expect(states(...ratios)).toEqual(expected)
  })

  it('says what it expected, what it saw, and where', () => {
    const [verdict] = verdicts({ metric: 'latency.added', percentile: 50, arm, max: 0.1 })
    expect(verdict?.expected).toBe('at most 0.1 ms')
    expect(verdict?.sentence).toMatch(
      /^latency\.added p50 of reference\/l4-l7-l4 \(latency, 1000\/s c16 1024B http1\) is 0\.\d+ ms \(0\.\d+ to 0\.\d+\); expected at most 0\.1 ms: fail\. The smallest difference that this run could have seen is 0\.00\d+ ms\.$/,
    )
    expect(verdict?.actual?.n).toBe(10)
  })

  it('judges what an experiment does on purpose where that experiment is named alone', () => {
    const errors = { metric: 'errors.share', arm, max: 0 } as const
    const thresholds = [errors, { ...errors, experiment: 'latency' }]
    const judged = check({ ...measured, config: { ...measured.config, thresholds } }, () => true)
    expect(judged.map(({ state }) => state)).toEqual(['pass'])
    expect(judged[0]?.threshold.experiment).toBe('latency')
  })

  it('has no data on an arm that was not measured', () => {
    expect(states({ metric: 'latency.added', percentile: 50, arm: 'reference/none', max: 1 })).toEqual([
      'no data',
    ])
  })

  it('names the arms that are not in the run, and no others', () => {
    const cost = { metric: 'cpu.per1000Requests', max: 1 } as const
    const asked: Threshold[] = [
      { ...cost, arm, relativeTo: 'reference/none' },
      { ...cost, arm: 'envoy/l4-only', relativeTo: 'reference/none' },
      { metric: 'connect.time', percentile: 50, arm, max: 1 },
    ]
    const found = verdicts(...asked)
    expect(found.map(({ absent }) => absent)).toEqual([
      ['reference/none'],
      ['envoy/l4-only', 'reference/none'],
      undefined,
    ])
    const lines = gateLines(gate({ ...measured, thresholds: found }))
    expect(lines.join('\n')).toContain('envoy/l4-only and reference/none are not in this run')
    expect(lines.filter((line) => line.includes('not in this run'))).toHaveLength(2)
  })

  it.each([
    ['reference/none', 'inconclusive'],
    // No flag leaves a baseline out: whoever names one that is not measured here has mistaken it for another.
    ['kind/baseline', 'fail'],
  ])(
    'fails no gate where the arm that it compares with was left out, but does for a baseline: %s',
    (versus, outcome) => {
      const thresholds = verdicts({ metric: 'cpu.per1000Requests', max: 1, arm, relativeTo: versus })
      expect(thresholds[0]?.sentence).toContain(`no data, ${versus} is not in this run`)
      const result = gate({ ...measured, thresholds })
      expect(result.outcome).toBe(outcome)
      expect(gateLines(result).at(-1)).toMatch(
        outcome === 'fail' ? /^failed: 1 of 1 check$/ : /^inconclusive/,
      )
    },
  )

  it('decides nothing by one round', () => {
    const thresholds: Threshold[] = [{ metric: 'latency.added', percentile: 50, arm, max: 0.001 }]
    expect(
      check(analyze(syntheticJournal({ ...options, rounds: 1, thresholds }))).map(({ state }) => state),
    ).toEqual(['inconclusive'])
  })

  it('has no data on a ratio to nothing, which the gate neither passes nor calls better', () => {
    const { ratio } = comparePaired([50, 60, 55, 52], [0, 0, 0, 0], measured.config, {
      unit: 'ms',
      cells: [],
    })
    expect(ratio.n).toBe(0)
    const comparisons = measured.comparisons.map((comparison) => ({ ...comparison, ratio }))
    const threshold: Threshold = { metric: 'cpu.per1000Requests', arm, relativeTo, max: 1.5 }
    const config = { ...measured.config, thresholds: [threshold] }
    expect(check({ ...measured, config, comparisons }).map(({ state }) => state)).toEqual(['no data'])
    const { variants } = gate(
      {
        ...measured,
        arms: measured.arms.map((known) => (known.id === arm ? { ...known, control: relativeTo } : known)),
        comparisons,
      },
      { checks: [{ metric: 'cpu.per1000Requests', practical: 0.05 }], inconclusive: 'fail' },
    )
    expect(variants.map(({ state }) => state)).toEqual(['inconclusive'])
    expect(variants[0]?.sentence).toMatch(/has no ratio to that of .*, which is zero: inconclusive\.$/)
  })

  it('counts errors', () => {
    const entries = syntheticJournal({
      ...options,
      thresholds: [{ metric: 'errors.share', arm, max: 0 }],
    }).map((entry) =>
      entry.type === 'trial' && entry.load && entry.round === 2
        ? { ...entry, load: { ...entry.load, ok: entry.load.sent - 1, errors: { timeout: 1 } } }
        : entry,
    )
    expect(analyze(entries).thresholds[0]?.state).toBe('fail')
  })
})
