import { describe, expect, it } from 'vitest'
import { analyze } from './analyze.js'
import type { JournalEntry } from '../model.js'
import { trueCosts } from '../testdata/synthetic-journal.js'
import { badNumbers, comparisonOf, failedTrial, smallJournal } from '../testing/analysis.js'

const [l7l7, l4l7l4, l4] = ['reference/l7-sidecar-to-sidecar', 'reference/l4-l7-l4', 'reference/l4-only']
const plain = smallJournal()
const whole = analyze(smallJournal({ experiments: ['latency', 'saturation'] }))

describe('analyze', () => {
  it('finds what each path truly costs', () => {
    for (const arm of whole.arms.filter(({ role }) => role === 'subject')) {
      const path = whole.paths.find(({ name }) => name === arm.path)
      const bare = whole.arms.find(({ id }) => id === arm.baseline)
      const barePath = whole.paths.find(({ name }) => name === 'baseline')
      if (!path || !bare || !barePath) throw new Error('incomplete')
      const { ratio, verdict } = comparisonOf(whole, 'latency.response', arm.id, 'none/baseline', 50)
      const truth = trueCosts(arm, path).ms / trueCosts(bare, barePath).ms
      // The generator's lag of some 20 µs is in both, and pulls the ratio to 1 by less than a tenth.
      expect(ratio.value / truth).toBeGreaterThan(0.88)
      expect(ratio.value / truth).toBeLessThan(1.04)
      expect(verdict).toBe('worse')
    }
  })

  it('gives the same for the same journal, as JSON or as objects', () => {
    expect(analyze(JSON.parse(JSON.stringify(plain)) as JournalEntry[])).toEqual(analyze(plain))
  })

  it('says for each estimate how many rounds it rests on and how it was made', () => {
    const { difference } = comparisonOf(whole, 'latency.response', l4, 'none/baseline', 50)
    expect(difference.n).toBe(10)
    expect(difference.method).toContain('Hodges–Lehmann')
    expect(difference.cells).toHaveLength(2)
  })

  it('lists every arm, cell, trial and proof', () => {
    expect(whole.cells).toHaveLength(12)
    expect(whole.trials).toHaveLength(6 * 10 + 6 * 3)
    expect(whole.proofs[l4l7l4]?.map(({ name, trials }) => [name, trials])).toEqual([
      ['plaintext refused at server-tunnel', undefined],
      ['requests at client-tunnel', 13],
      ['requests at waypoint', 13],
      ['requests at server-tunnel', 13],
    ])
    expect(whole.rounds).toEqual({ planned: 10, done: 10 })
  })

  it('keeps invalid and failed trials on the list and out of the estimates', () => {
    const analysis = analyze(smallJournal({ invalidShare: 0.2, failedShare: 0.1 }))
    const bad = analysis.trials.filter(({ state }) => state !== 'ok')
    expect(bad.length).toBeGreaterThan(5)
    for (const cell of analysis.cells) {
      const own = analysis.trials.filter((trial) => trial.cell === cell.cell)
      expect(cell.trials.ok + cell.trials.invalid + cell.trials.failed).toBe(own.length)
      expect(cell.throughput.n).toBe(cell.trials.ok)
    }
    expect(bad.find(({ state }) => state === 'invalid')?.reasons[0]).toContain('lagged')
  })

  it('compares open loop by response time and closed loop by throughput', () => {
    const metrics = (experiment: string) =>
      new Set(whole.comparisons.filter(({ experiment: id }) => id === experiment).map(({ metric }) => metric))
    expect(metrics('latency').has('latency.response')).toBe(true)
    expect(metrics('latency').has('throughput')).toBe(false)
    expect(metrics('saturation').has('throughput')).toBe(true)
    const slower = whole.comparisons.find(({ metric, arm }) => metric === 'throughput' && arm === l4l7l4)
    expect(slower).toMatchObject({ versus: 'none/baseline', verdict: 'worse' })
    expect(slower?.ratio.value).toBeLessThan(0.7)
  })

  it('leaves out percentiles that no request of a trial lies beyond', () => {
    // 400 requests reach p99 and not p99.9.
    expect(Object.keys(whole.cells[0]?.response ?? {})).toEqual(['50', '90', '99'])
    // The merged curve of ten trials reaches further.
    const last = whole.cells[0]?.curve?.at(-1)
    expect(last?.percentile).toBe(99.75)
  })

  it('has a curve that rises, with its band about it', () => {
    const curve = whole.cells.find(({ arm }) => arm === l4l7l4)?.curve ?? []
    curve.forEach(({ ms, lowMs = 0, highMs = 0 }, index) => {
      expect(ms).toBeGreaterThanOrEqual(curve[index - 1]?.ms ?? 0)
      expect(lowMs).toBeLessThanOrEqual(ms)
      expect(highMs).toBeGreaterThanOrEqual(ms)
    })
  })
})

describe('A/A', () => {
  it('is silent when the twin is the same', () => {
    expect(whole.noise.map(({ differs }) => differs)).toEqual([false, false])
    expect(whole.warnings.filter((warning) => warning.startsWith('A/A'))).toEqual([])
  })

  it('is the first thing said when the twin is not the same', () => {
    const analysis = analyze(smallJournal({ effect: { 'none/baseline-twin': { latency: 1.15, cpu: 1.1 } } }))
    expect(analysis.noise[0]?.differs).toBe(true)
    expect(analysis.warnings[0]).toContain('A/A differs')
    expect(analysis.noise[0]?.latencyP50.low).toBeGreaterThan(0)
  })
})

describe('increments', () => {
  it('add up: what the parts do not explain is about nothing', () => {
    const residuals = whole.increments.filter(({ title }) => title.startsWith('Residual'))
    expect(residuals).toHaveLength(2)
    for (const { cpu } of residuals) {
      expect(cpu.low).toBeLessThan(0)
      expect(cpu.high).toBeGreaterThan(0)
    }
    const tunnels = whole.increments.find(({ toArm }) => toArm === l4)
    // Two L4 hops of 42 µs.
    expect(tunnels?.cpu.value).toBeGreaterThan(78)
    expect(tunnels?.cpu.value).toBeLessThan(95)
  })

  it('have what capture costs as a step from the arm that dials, with what stands in for the hop’s question', () => {
    const variants = ['none', 'redirect'].map((capture) => ({
      name: capture,
      source: `set:capture=${capture}`,
      settings: { capture },
      builds: {},
    }))
    const captured = `${l4}@redirect`
    const { increments } = analyze(smallJournal({ variants, effect: { [captured]: { cpu: 1.3 } } }))
    const step = increments.find(({ toArm }) => toArm === captured)
    expect(step?.fromArm).toBe(`${l4}@none`)
    expect(step?.note).toContain('SO_ORIGINAL_DST')
    expect(step?.cpu.low).toBeGreaterThan(0)
    expect(step?.cpu.low).toBeLessThan(step?.cpu.high ?? 0)
  })
})

describe('a journal that is not whole', () => {
  const thresholds = [{ metric: 'latency.added', percentile: 99, arm: l4l7l4, max: 5 }] as const
  const complete = plain.map((entry) =>
    entry.type === 'run'
      ? { ...entry, plan: { ...entry.plan, config: { ...entry.plan.config, thresholds } } }
      : entry,
  )
  const trialsEnd = (count: number) => {
    const at = complete.findIndex((entry) => entry.type === 'trial')
    return complete.slice(0, at + count)
  }

  it.each([
    ['a header alone', () => complete.slice(0, 1)],
    ['no trial', () => trialsEnd(0)],
    ['one trial', () => trialsEnd(1)],
    ['one round', () => trialsEnd(6)],
    ['a round and a half', () => trialsEnd(9)],
    ['two rounds', () => trialsEnd(12)],
    [
      'all trials failed',
      () => complete.map((entry) => (entry.type === 'trial' ? failedTrial(entry) : entry)),
    ],
    [
      'nothing was sent',
      () => complete.map((entry) => (entry.type === 'trial' ? nothingSent(entry) : entry)),
    ],
  ])('has an analysis that JSON can hold: %s', (_, entries) => {
    const analysis = analyze(entries())
    expect(badNumbers(analysis)).toEqual([])
    expect(
      analysis.comparisons.every(({ verdict, ratio }) => ratio.n > 1 || verdict === 'inconclusive'),
    ).toBe(true)
    expect(analysis.cells).toHaveLength(6)
  })

  it('says that it was cut short, and counts whole rounds only', () => {
    const analysis = analyze(trialsEnd(9))
    expect(analysis.outcome).toBe('unfinished')
    expect(analysis.rounds).toEqual({ planned: 10, done: 1 })
    expect(analysis.warnings).toContain('The run did not come to its end: this is what its journal holds.')
  })

  it('names an arm that never came up', () => {
    const analysis = analyze(smallJournal({ armFailures: { [l7l7]: 'port taken' } }))
    expect(analysis.failures[l7l7]).toMatchObject({ message: 'port taken' })
    expect(analysis.warnings).toContain(`${l7l7} did not come up: port taken`)
    expect(analysis.comparisons.some(({ arm }) => arm === l7l7)).toBe(false)
    expect(analysis.claims[0]?.verdict).toBe('no data')
  })

  it('does not name an arm that came up when the run was resumed', () => {
    const entries = smallJournal({ rounds: 2 })
    const at = entries.findIndex(({ type }) => type === 'environment')
    const up = entries[at]
    if (up?.type !== 'environment') throw new Error('no environment')
    const down = { ...up, failures: { [l7l7]: { kind: 'not-ready', message: 'port taken' } } } as const
    const before = entries.slice(0, at)
    const resume = { type: 'resume', at: up.at, command: ['run'] } as const
    const resumed = analyze([...before, down, resume, ...entries.slice(at)])
    expect(resumed.failures).toEqual({})
    expect(resumed.warnings.join()).not.toContain('port taken')
    // An environment that came up later says nothing of those before it.
    const other = { ...up, environment: 'kind/cilium' }
    expect(Object.keys(analyze([...before, down, other, ...entries.slice(at + 1)]).failures)).toEqual([l7l7])
  })

  it('needs a header', () => {
    expect(() => analyze(complete.slice(1))).toThrow('header')
  })
})

describe('oddities', () => {
  it('flags an outlier and keeps it', () => {
    const entries = plain.map((entry) =>
      entry.type === 'trial' && entry.round === 4 && entry.cell.includes('l4-only') && entry.usage
        ? {
            ...entry,
            usage: {
              ...entry.usage,
              components: entry.usage.components.map((row) => ({ ...row, cpuNs: row.cpuNs * 3 })),
            },
          }
        : entry,
    )
    const analysis = analyze(entries)
    const flagged = analysis.trials.filter(({ warnings }) =>
      warnings.some((text) => text.includes('outlier: CPU')),
    )
    expect(flagged.map(({ round, arm }) => [round, arm])).toContainEqual([4, l4])
    expect(comparisonOf(analysis, 'cpu.per1000Requests', l4, 'none/baseline').difference.n).toBe(10)
  })

  it('tells drift, which the paired comparison does not suffer from', () => {
    const analysis = analyze(smallJournal({ rounds: 20, noise: { drift: 0.6, roundSigma: 0.01 } }))
    expect(analysis.warnings.some((text) => /drifted by \d+\.?\d* % over the run/.test(text))).toBe(true)
    const { ratio } = comparisonOf(analysis, 'latency.response', l4l7l4, l7l7, 50)
    expect(ratio.high - ratio.low).toBeLessThan(0.1)
  })
})

function nothingSent(trial: Extract<JournalEntry, { type: 'trial' }>): JournalEntry {
  if (!trial.load) return trial
  const { response: _response, service: _service, ...load } = trial.load
  return { ...trial, load: { ...load, sent: 0, ok: 0, achievedRatePerSecond: 0 } }
}
