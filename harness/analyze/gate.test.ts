import { describe, expect, it } from 'vitest'
import { analyze } from './analyze.js'
import { defaultGate, gate, type GateResult } from './gate.js'
import type { Analysis, GatePolicy, Trial } from '../model.js'
import { cameUpBefore, smallJournal } from '../testing/analysis.js'
import { oneSidedSearch } from '../testdata/one-sided-search.js'
import { syntheticJournal, type SyntheticOptions } from '../testdata/synthetic-journal.js'
import { gateAnnotations, gateLines, gateMarkdown } from '../../reports/compare/gate-lines.js'
import { runAnnotations } from '../../reports/formats/annotations.js'
import { renderJunit } from '../../reports/formats/junit.js'

const arm = 'reference/l7-per-node'
const variants = ['old', 'new'].map((name) => ({ name, source: 'as configured', settings: {}, builds: {} }))
const cpuOnly: GatePolicy = {
  checks: [{ metric: 'cpu.per1000Requests', practical: 0.05 }],
  inconclusive: 'fail',
}

const analyses = new Map<string, Analysis>()

/** The analysis of a journal with these options, made once. */
function analysisOf(options: SyntheticOptions): Analysis {
  const key = JSON.stringify(options)
  const known = analyses.get(key)
  if (known) return known
  const small = { arms: ['l7-per-node'], experiments: ['latency'], durationMs: 300 } as const
  const analysis = analyze(syntheticJournal({ rounds: 12, ...small, variants, ...options }))
  analyses.set(key, analysis)
  return analysis
}
const states = (options: SyntheticOptions, policy = cpuOnly) =>
  gate(analysisOf(options), policy).variants.map(({ check, state }) => [check.metric, state])

describe('a gate', () => {
  it('judges every variant but the first, which is the control', () => {
    const { variants: verdicts, outcome } = gate(analysisOf({}), cpuOnly)
    expect(verdicts.map((verdict) => [verdict.arm, verdict.control])).toEqual([[`${arm}@new`, `${arm}@old`]])
    expect(outcome).toBe('pass')
  })

  it('tells worse, better and the same, by the interval and what matters', () => {
    expect(states({ effect: { [`${arm}@new`]: { cpu: 1.2 } } })).toEqual([['cpu.per1000Requests', 'worse']])
    expect(states({ effect: { [`${arm}@new`]: { cpu: 0.8 } } })).toEqual([['cpu.per1000Requests', 'better']])
    expect(states({})).toEqual([['cpu.per1000Requests', 'same']])
    // The same change is no reason to fail where only larger ones matter.
    const lax = { ...cpuOnly, checks: [{ metric: 'cpu.per1000Requests' as const, practical: 0.5 }] }
    expect(states({ effect: { [`${arm}@new`]: { cpu: 1.2 } } }, lax)).toEqual([
      ['cpu.per1000Requests', 'same'],
    ])
  })

  it('is inconclusive after one round, and does not pass when nothing of a variant was measured', () => {
    expect(states({ rounds: 1, plannedRounds: 1 })).toEqual([['cpu.per1000Requests', 'inconclusive']])
    const cut = analysisOf({ stopAfterTrials: 1 })
    expect(gate(cut, cpuOnly).outcome).toBe('fail')
  })

  it('does not let a variant pass that did not come up', () => {
    const result = gate(analysisOf({ armFailures: { [`${arm}@new`]: 'the config was refused' } }), cpuOnly)
    expect(result.outcome).toBe('fail')
    const lines = gateLines(result)
    expect(lines[1]).toMatch(/^fail .*@new .* did not come up/)
    expect(lines).toContain(`${arm}@new did not come up: the config was refused`)
  })

  it('does not let a variant pass that came up and then died or answered errors in every trial', () => {
    const options = {
      rounds: 3,
      arms: ['l7-per-node'],
      experiments: ['latency'],
      durationMs: 300,
      variants,
    } as const
    const died = { kind: 'hop-died', message: 'proxy exited with code 139' } as const
    const spoiled = (change: (trial: Trial) => Trial) =>
      gate(
        analyze(
          syntheticJournal(options).map((entry) =>
            entry.type === 'trial' && entry.cell.includes('@new') ? change(entry) : entry,
          ),
        ),
        { ...cpuOnly, inconclusive: 'pass' },
      )
    const dead = spoiled((trial) => ({ ...trial, state: 'failed', reasons: [], error: died }))
    expect(dead.outcome).toBe('fail')
    const lines = gateLines(dead)
    expect(lines[1]).toMatch(/^fail .*@new .* latency, \d+\/s .* has no valid trial/)
    expect(lines.join('\n')).toMatch(/\n.*@new has no valid trial \(latency, .*exited with code 139/)
    expect(gateAnnotations(dead)[0]).toMatch(/^::error title=.*@new has no valid trial/)
    const refused = spoiled((trial) => ({
      ...trial,
      state: 'invalid',
      reasons: ['300 of 300 requests failed'],
    }))
    expect(refused.outcome).toBe('fail')
    expect(gateMarkdown(refused)).toContain('300 of 300 requests failed')
  })

  it('judges knees by what is known of them when one lies beyond the rates that were tried', () => {
    const policy: GatePolicy = { checks: [{ metric: 'throughput', practical: 0.1 }], inconclusive: 'pass' }
    const entries = syntheticJournal({
      rounds: 10,
      arms: ['l7-per-node'],
      experiments: ['capacity'],
      invalidShare: 0,
      failedShare: 0,
      variants,
    })
    const judged = (beyond: 'above' | 'below', ...arms: string[]) =>
      gate(analyze(arms.reduce((all, id) => oneSidedSearch(all, id, beyond), entries)), policy).variants
    expect(judged('below', `${arm}@new`)).toMatchObject([
      { state: 'worse', sentence: expect.stringContaining('is < 3.91 req/s') as string },
    ])
    expect(judged('above', `${arm}@new`)).toMatchObject([{ state: 'better' }])
    // Of two that lie beyond, nothing is known; nor is the check left out.
    expect(judged('above', `${arm}@new`, `${arm}@old`)).toMatchObject([{ state: 'inconclusive' }])
    expect(judged('below', 'none/baseline', `${arm}@new`, `${arm}@old`)).toMatchObject([
      { state: 'inconclusive' },
    ])
  })

  it('judges memory by lives of processes, and says that more rounds of too few do not decide it', () => {
    const memory: GatePolicy = {
      checks: [{ metric: 'memory.rss', practical: 0.3 }],
      inconclusive: 'fail',
    }
    const entries = smallJournal({ rounds: 6, arms: ['l7-per-node'], variants })
    const judged = (lives: number) => {
      const anew = cameUpBefore(
        entries,
        ({ round }, before) => before?.round !== round && round % (6 / lives) === 0 && round > 0,
      )
      return gate(analyze(anew), memory)
    }
    const [once, twice, thrice] = [1, 2, 3].map(judged)
    expect(once?.variants[0]?.sentence).toContain('rounds of one process are no independent samples')
    expect(twice?.variants[0]?.sentence).toContain('rounds of 2 processes are no independent samples')
    expect(gateLines(once as GateResult).at(-1)).toMatch(/--blocks 3 or more\), to decide$/)
    expect(thrice?.variants.map(({ state }) => state)).toEqual(['same'])
    expect(thrice?.variants[0]?.ratio?.n).toBe(3)
  })

  it('asks nothing that no load of the run can tell', () => {
    const metrics = gate(analysisOf({}), defaultGate).variants.map(({ check }) => check.metric)
    expect(metrics).toEqual(['cpu.per1000Requests', 'latency.response'])
  })

  it('has short cells, and what has no room in them in sentences below', () => {
    const why = `its log says ${'a very long story of what went wrong '.repeat(9).trim()}`
    const thresholds = [
      { metric: 'cpu.per1000Requests' as const, arm: `${arm}@new`, relativeTo: `${arm}@old`, max: 0.5 },
      { metric: 'cpu.per1000Requests' as const, arm: 'envoy/l4-only', relativeTo: `${arm}@old`, max: 1 },
    ]
    const result = gate(analysisOf({ thresholds, armFailures: { [`${arm}@old`]: why } }), cpuOnly)
    const [table = '', ...below] = gateMarkdown(result).split('\n\n').slice(1)
    const cells = table.split('\n').flatMap((line) => line.split(' | '))
    expect(Math.max(...cells.map((cell) => cell.length))).toBeLessThanOrEqual(40)
    expect(below.join('\n')).toContain(why)
    expect(below.join('\n')).toContain('envoy/l4-only is not in this run')
    const lines = gateLines(result)
    expect(lines.slice(lines.indexOf('') + 1)).toContain(`${arm}@old did not come up: ${why}`)
  })

  it('tells a limit as it was given, however small what matters is', () => {
    const strict = { ...cpuOnly, checks: [{ metric: 'cpu.per1000Requests' as const, practical: 0.004 }] }
    expect(gateLines(gate(analysisOf({}), strict)).join('\n')).toContain('at most 1.004 ×')
  })

  it('takes thresholds in, and says what failed and by how much', () => {
    const thresholds = [
      { metric: 'cpu.per1000Requests' as const, arm: `${arm}@new`, relativeTo: `${arm}@old`, max: 0.5 },
    ]
    const result = gate(analysisOf({ thresholds }), cpuOnly)
    expect(result.outcome).toBe('fail')
    expect(gateLines(result)[1]).toMatch(/^fail .*at most 0.5 × +\d+ % +\d\.\d+ %$/)
    expect(gateLines(result).join('\n')).toMatch(/\n\nAll under latency, \d+\/s [^\n]+\.\n\nfailed/)
    expect(gateMarkdown(result)).toMatch(/^## Meshbench gate: failed: 1 of 2 checks/)
    expect(gateAnnotations(result)).toEqual([
      expect.stringMatching(/^::error title=Meshbench%3A threshold failed::/),
    ])
  })

  it('counts a threshold without data among what failed, unless the policy lets it pass, in every format', () => {
    const thresholds = [{ metric: 'connect.time' as const, percentile: 50, arm: `${arm}@new`, max: 1 }]
    const analysis = analysisOf({ thresholds })
    const strict = gate(analysis, cpuOnly)
    expect(strict.outcome).toBe('fail')
    expect(gateMarkdown(strict)).toMatch(/^## Meshbench gate: failed: 1 of 2 checks/)
    expect(gateAnnotations(strict)).toEqual([expect.stringMatching(/^::error .*threshold no data::/)])
    const lax: GatePolicy = { ...cpuOnly, noData: 'pass' }
    expect(gate(analysis, lax).outcome).toBe('inconclusive')
    const told = { ...analysis, config: { ...analysis.config, gate: lax } }
    for (const lines of [gateAnnotations(gate(told)), runAnnotations(told)])
      expect(lines).toEqual([expect.stringMatching(/^::notice .*threshold no data::/)])
    expect(renderJunit(told)).toMatch(
      /<testsuite name="thresholds" tests="1" failures="0" skipped="1" errors="0">/,
    )
    expect(renderJunit(analysis)).toMatch(
      /<testsuite name="thresholds" tests="1" failures="0" skipped="0" errors="1">/,
    )
  })
})
