import { describe, expect, it } from 'vitest'
import { analyze } from './analyze.js'
import type { Analysis, Comparison, Component, JournalEntry } from '../model.js'
import { oneSidedSearch } from '../testdata/one-sided-search.js'
import { syntheticJournal, trueCosts, type SyntheticOptions } from '../testdata/synthetic-journal.js'

/** Small and clean, so that a test takes milliseconds: 400 requests a trial, no bad trials. */
const small: SyntheticOptions = {
  experiments: ['latency'],
  durationMs: 400,
  invalidShare: 0,
  failedShare: 0,
}
const journal = (options: SyntheticOptions = {}) => syntheticJournal({ ...small, ...options })
const [l7l7, l4l7l4, l4] = ['reference/l7-sidecar-to-sidecar', 'reference/l4-l7-l4', 'reference/l4-only']

function find(
  analysis: Analysis,
  metric: string,
  arm: string,
  versus: string,
  percentile?: number,
): Comparison {
  const found = analysis.comparisons.find(
    (comparison) =>
      comparison.metric === metric &&
      comparison.arm === arm &&
      comparison.versus === versus &&
      comparison.percentile === percentile,
  )
  if (!found) throw new Error(`no comparison ${metric} ${arm} ${versus}`)
  return found
}

/** Every number in a value that JSON cannot hold. */
function badNumbers(value: unknown, path = ''): string[] {
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [path]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => badNumbers(member, `${path}.${key}`))
}

const plain = journal()
const whole = analyze(journal({ experiments: ['latency', 'saturation'] }))

describe('analyze', () => {
  it('finds what each path truly costs', () => {
    for (const arm of whole.arms.filter(({ role }) => role === 'subject')) {
      const path = whole.paths.find(({ name }) => name === arm.path)
      const bare = whole.arms.find(({ id }) => id === arm.baseline)
      const barePath = whole.paths.find(({ name }) => name === 'baseline')
      if (!path || !bare || !barePath) throw new Error('incomplete')
      const { ratio, verdict } = find(whole, 'latency.response', arm.id, 'none/baseline', 50)
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
    const { difference } = find(whole, 'latency.response', l4, 'none/baseline', 50)
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
    const analysis = analyze(journal({ invalidShare: 0.2, failedShare: 0.1 }))
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
    const analysis = analyze(journal({ effect: { 'none/baseline-twin': { latency: 1.15, cpu: 1.1 } } }))
    expect(analysis.noise[0]?.differs).toBe(true)
    expect(analysis.warnings[0]).toContain('A/A differs')
    expect(analysis.noise[0]?.latencyP50.low).toBeGreaterThan(0)
  })
})

describe('the bill', () => {
  const cell = whole.cells.find(({ arm, experiment }) => arm === l4l7l4 && experiment === 'latency')

  it('has a row for each hop in its order, and the rows add up to the host', () => {
    expect(cell?.bill.map(({ component }) => component)).toEqual([
      'echo',
      `${l4l7l4}/client-tunnel`,
      `${l4l7l4}/server-tunnel`,
      `${l4l7l4}/waypoint`,
      'generator',
      'meshbench',
      'idle hops of other arms',
      'unaccounted',
    ])
    expect(Math.abs(cell?.billGapShare ?? 1)).toBeLessThan(0.03)
    // 9 µs a leg are unaccounted, beside what hops, application, generator and orchestrator use.
    expect(cell?.unaccountedShare).toBeGreaterThan(0.05)
    expect(
      whole.warnings.filter((warning) => warning.startsWith('The bill does not reconcile')),
    ).toHaveLength(1)
    const hop = cell?.bill.find(({ component }) => component.endsWith('waypoint'))
    expect(hop).toMatchObject({ source: 'schedstat', resolutionNs: 1 })
    // One voluntary switch a request, and one in fifty that is not.
    expect(hop?.contextSwitches?.value).toBeCloseTo(1020, -1)
    expect(hop?.memoryPss?.value).toBeLessThan(hop?.memory?.value ?? 0)
    expect(hop?.memoryPeak?.value).toBeGreaterThan(hop?.memory?.value ?? Infinity)
  })

  it('finds what nobody accounts for', () => {
    const rows = new Map(cell?.bill.map((row) => [row.category, row.cpu.value]))
    // 9 µs for each of four legs, less the noise that slows everything.
    expect(rows.get('unaccounted')).toBeGreaterThan(34)
    expect(rows.get('unaccounted')).toBeLessThan(42)
  })

  it('charges the arm with its hops and the application, and with nothing else', () => {
    const own = cell?.bill.filter(({ category }) => ['application', 'l4', 'l7'].includes(category)) ?? []
    const sum = own.reduce((total, row) => total + row.cpu.value, 0)
    expect(cell?.cpu?.value).toBeCloseTo(sum, -1)
    expect(own.find(({ hop }) => hop === 'waypoint')).toMatchObject({ layer: 'l7', category: 'l7' })
  })

  it('has a row for a service that functions call, which is charged to no hop and not left unaccounted', () => {
    const name = `${l4l7l4}/authorizer`
    const component: Component = {
      ...{ name, arm: l4l7l4, service: 'authorizer' },
      ...{ category: 'called-service', node: 'waypoint' },
    }
    const plain = journal()
    const entries = plain.map((entry): JournalEntry => {
      if (entry.type === 'environment') return { ...entry, components: [...entry.components, component] }
      if (entry.type !== 'trial' || !entry.usage || !entry.load) return entry
      // 7 µs a request, which the host has worked, too.
      const cpuNs = entry.cell.includes(`|${l4l7l4}|`) ? entry.load.ok * 7000 : 0
      const row = {
        component: name,
        category: 'called-service',
        cpuNs,
        source: 's',
        resolutionNs: 1,
      } as const
      const { usage } = entry
      return {
        ...entry,
        usage: {
          ...usage,
          hostBusyNs: usage.hostBusyNs + cpuNs,
          components: [...usage.components, row],
        },
      }
    })
    const cellOf = (analysis: Analysis) =>
      analysis.cells.find(({ arm, experiment }) => arm === l4l7l4 && experiment === 'latency')
    const [own, called] = [cellOf(analyze(plain)), cellOf(analyze(entries))]
    expect(called?.cpu).toEqual(own?.cpu)
    const row = called?.bill.find(({ category }) => category === 'called-service')
    expect([row?.component, row?.hop, row?.cpu.value]).toEqual([name, undefined, 7])
    const unaccounted = (cell: typeof own) =>
      cell?.bill.find(({ category }) => category === 'unaccounted')?.cpu.value ?? NaN
    expect(unaccounted(called)).toBeCloseTo(unaccounted(own))
    const other = analyze(entries).cells.find(({ arm }) => arm !== l4l7l4)
    expect(other?.bill.map(({ component: each }) => each)).not.toContain(name)
  })

  it('is left out where usage cannot be had, and latency is still told', () => {
    const analysis = analyze(journal({ withoutUsage: true }))
    expect(
      analysis.cells.every(
        ({ bill, cpu, billGapShare }) => bill.length === 0 && !cpu && billGapShare === undefined,
      ),
    ).toBe(true)
    expect(find(analysis, 'latency.response', l4, 'none/baseline', 50).verdict).toBe('worse')
    expect(analysis.claims[0]?.sentence).toContain('CPU was not measured')
    expect(badNumbers(analysis)).toEqual([])
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
    const { increments } = analyze(journal({ variants, effect: { [captured]: { cpu: 1.3 } } }))
    const step = increments.find(({ toArm }) => toArm === captured)
    expect(step?.fromArm).toBe(`${l4}@none`)
    expect(step?.note).toContain('SO_ORIGINAL_DST')
    expect(step?.cpu.low).toBeGreaterThan(0)
    expect(step?.cpu.low).toBeLessThan(step?.cpu.high ?? 0)
  })
})

describe('claims', () => {
  const verdicts = (options: SyntheticOptions) =>
    Object.fromEntries(analyze(journal(options)).claims.map(({ id, verdict }) => [id, verdict]))

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
    const claim = analyze(journal({ rounds: 8, costs: { l4HopCpuUs: 39, l4HopMs: 0.065 } })).claims[0]
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
      const [c1] = analyze(journal(options)).claims
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
      analyze(journal(options))
        .claims.find((claim) => claim.id === id)
        ?.figures.find((figure) => figure.label.startsWith(label))?.estimate.value ?? Number.NaN

    it("set one product's meshes against each other, each less its own baseline", () => {
      const { verdict, sentence } = analyze(journal({ ...product, costs: dearL7 })).claims[0] ?? {}
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
    const entries = journal({ rounds: 4 }).map((entry) => {
      if (entry.type !== 'trial') return entry
      const out = entry.cell.includes('l4-l7-l4') ? entry.round % 2 === 0 : entry.round % 2 === 1
      return out ? failed(entry) : entry
    })
    const analysis = analyze(entries)
    expect(analysis.claims[0]?.verdict).toBe('no data')
    expect(analysis.claims[2]?.verdict).not.toBe('no data')
    expect(badNumbers(analysis)).toEqual([])
  })

  it('have no data without the arms that they speak of', () => {
    const analysis = analyze(journal({ arms: ['l7-per-node'] }))
    expect(analysis.claims).toHaveLength(12)
    expect(analysis.claims.every(({ verdict, next }) => verdict === 'no data' && next !== undefined)).toBe(
      true,
    )
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
    ['all trials failed', () => complete.map((entry) => (entry.type === 'trial' ? failed(entry) : entry))],
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
    const analysis = analyze(journal({ armFailures: { [l7l7]: 'port taken' } }))
    expect(analysis.failures[l7l7]).toMatchObject({ message: 'port taken' })
    expect(analysis.warnings).toContain(`${l7l7} did not come up: port taken`)
    expect(analysis.comparisons.some(({ arm }) => arm === l7l7)).toBe(false)
    expect(analysis.claims[0]?.verdict).toBe('no data')
  })

  it('does not name an arm that came up when the run was resumed', () => {
    const entries = journal({ rounds: 2 })
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
    expect(find(analysis, 'cpu.per1000Requests', l4, 'none/baseline').difference.n).toBe(10)
  })

  it('tells drift, which the paired comparison does not suffer from', () => {
    const analysis = analyze(journal({ rounds: 20, noise: { drift: 0.6, roundSigma: 0.01 } }))
    expect(analysis.warnings.some((text) => /drifted by \d+\.?\d* % over the run/.test(text))).toBe(true)
    const { ratio } = find(analysis, 'latency.response', l4l7l4, l7l7, 50)
    expect(ratio.high - ratio.low).toBeLessThan(0.1)
  })
})

function failed(trial: Extract<JournalEntry, { type: 'trial' }>): JournalEntry {
  const { load: _load, usage: _usage, ...rest } = trial
  return { ...rest, state: 'failed', error: { kind: 'hop-died', message: 'gone' } }
}

function nothingSent(trial: Extract<JournalEntry, { type: 'trial' }>): JournalEntry {
  if (!trial.load) return trial
  const { response: _response, service: _service, ...load } = trial.load
  return { ...trial, load: { ...load, sent: 0, ok: 0, achievedRatePerSecond: 0 } }
}

describe('a search for the knee', () => {
  const entries = journal({ experiments: ['capacity'], rounds: 12 })
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
    const slower = find(analysis, 'throughput', l7l7, 'none/baseline')
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
      const entries = journal({ experiments: ['capacity'], rounds: 6, thresholds })
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
