import { describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { compareRuns } from '../compare/compare.js'
import { renderComparison } from '../compare/compare-page.js'
import { comparisonMarkdown } from '../compare/compare-text.js'
import { renderTerminal } from './terminal.js'
import { readAssets } from '../testdata/assets.js'
import { hostileAnalysis } from '../testdata/hostile.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'
import { thresholdAnnotations } from './annotations.js'
import { formats } from './index.js'

const sample = sampleAnalysis({ rounds: 4, rates: [1000] })
const hostile = hostileAnalysis()

describe('formats', () => {
  it('json gives back the analysis', () => {
    expect(JSON.parse(formats.json.render(sample))).toEqual(JSON.parse(JSON.stringify(sample)))
  })
  it('csv has a line per trial, and no cell that a spreadsheet would run', () => {
    const lines = formats.csv.render(sample).trimEnd().split('\r\n')
    expect(lines).toHaveLength(sample.trials.length + 1)
    expect(
      formats.csv.render({ ...hostile, trials: [{ ...hostile.trials[0]!, reasons: ['=1+1', 'a"b'] }] }),
    ).toContain(`"'=1+1; a""b`)
  })
  it('junit counts failures, skips what is undecided and never fails a claim', () => {
    const [threshold] = sample.thresholds
    const failing = {
      ...sample,
      thresholds: [
        threshold!,
        { ...threshold!, state: 'fail' as const },
        { ...threshold!, state: 'inconclusive' as const },
      ],
    }
    const xml = formats.junit.render(failing)
    const arms = sample.arms.filter(({ role }) => role === 'subject').length
    expect(xml).toContain(`tests="${6 + arms}" failures="1" skipped="3" errors="0"`)
    expect(xml.match(/<failure /g)).toHaveLength(1)
    expect(formats.junit.render(hostile)).not.toMatch(/<script|<svg|<img/)
  })
  it('openmetrics is in base units, well formed and ends as it must', () => {
    const text = formats.openmetrics.render(sample)
    expect(text.endsWith('# EOF\n')).toBe(true)
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^(# |[a-z_]+\{([a-z_]+="(\\.|[^"\\])*",?)*\} -?[\d.e+-]+$)/)
    const median = sample.cells[0]!.response!['50']!.value
    expect(text).toContain(`percentile="50",bound="value"} ${median * 1e-3}`)
    for (const line of formats.openmetrics.render(hostile).trimEnd().split('\n'))
      expect(line).toMatch(/^(# |meshbench_)/)
  })
  it('openmetrics has no label set twice, and no sample of what has no valid trial', () => {
    const at = { metric: 'cpu.per1000Requests', arm: 'reference/l4-only' } as const
    const thresholds = [
      { ...at, max: 2 },
      { ...at, max: 2 },
      { ...at, max: 3 },
      { ...at, min: 1 },
    ]
    const analysis = analyze(
      syntheticJournal({
        rounds: 2,
        durationMs: 200,
        experiments: ['latency'],
        arms: ['l4-only', 'l7-per-node'],
        ratesPerSecond: [500, 1000],
        thresholds,
        armFailures: { 'reference/l7-per-node': 'port taken' },
      }),
    )
    const lines = formats.openmetrics
      .render(analysis)
      .split('\n')
      .filter((line) => !line.startsWith('#'))
    const series = lines.map((line) => line.replace(/ [^ ]+$/, ''))
    expect(series.filter((name, index) => series.indexOf(name) !== index)).toEqual([])
    expect(series.filter((name) => name.startsWith('meshbench_threshold_passed'))).toHaveLength(6)
    expect(
      series.filter((name) => name.includes('l7-per-node') && !name.startsWith('meshbench_trials')),
    ).toEqual([])
  })
  it('markdown names a threshold without data by what it asks', () => {
    const [judged] = sample.thresholds
    const { threshold, expected } = judged!
    const sentence = `${threshold.metric} of x relative to y: no data, y is not in this run; expected 1.`
    const missing = { threshold, expected, state: 'no data' as const, absent: ['y'], sentence }
    const row = ['**no data**', threshold.arm, threshold.relativeTo, threshold.metric].join(' | ')
    expect(formats.markdown.render({ ...sample, thresholds: [missing] })).toContain(`| ${row} |`)
  })
  it('markdown escapes what could become a link, an image or HTML', () => {
    expect(formats.markdown.render(sample)).toContain('| L4-L7-L4 |')
    expect(formats.markdown.render(sample)).toMatch(/\| A\/A twin \| [+−\d]/)
    expect(formats.markdown.render(hostile)).not.toMatch(/[^\\]<(script|img|svg)/)
  })
})

describe('annotations', () => {
  it('are one line each, whatever the journal says', () => {
    const [threshold] = sample.thresholds
    const lines = thresholdAnnotations({
      thresholds: [
        { ...threshold!, state: 'pass' },
        { ...threshold!, state: 'fail', sentence: 'a\n::set-output name=x::100%' },
        { ...threshold!, state: 'no data' },
      ],
    })
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/^::error title=Meshbench%3A threshold failed::a.*100%25$/)
    expect(lines[1]).toMatch(/^::error title=Meshbench%3A threshold no data/)
    expect(lines.join('')).not.toContain('\n')
  })
})

describe('the terminal summary', () => {
  it('fits its width, tells the noise floor, and is plain without colour', () => {
    const text = renderTerminal(sample, { columns: 100, colour: false })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    expect(text).toContain('A/A difference')
    // eslint-disable-next-line no-control-regex
    expect(renderTerminal(hostile, { columns: 80, colour: false })).not.toMatch(/[\u0000\u0007\u001b\u202e]/)
  })
  it.each([0, 1])('is as for 80 columns where a terminal says that it has %i', (columns) => {
    expect(renderTerminal(sample, { columns, colour: false })).toBe(
      renderTerminal(sample, { columns: 80, colour: false }),
    )
  })
})

describe('the Markdown summary', () => {
  it('says what each claim claims, in whole sentences: it is read in a pull request, without the page', () => {
    const lines = formats.markdown.render(sample).split('\n')
    for (const { id, verdict, claim } of sample.claims.filter(({ verdict }) => verdict !== 'no data')) {
      const line = lines.find((text) => text.startsWith(`- **${id} ${verdict}:**`)) ?? ''
      expect(line.replace(/\\(.)/g, '$1')).toContain(claim)
      expect(line).toMatch(/\.$/)
      expect(line).not.toMatch(/\. [a-z]/)
    }
    expect(formats.markdown.render(sample)).toContain('To decide it: about 30 more rounds.')
  })
})

describe('two runs', () => {
  it('are told to have inherited other variables', () => {
    const after = { ...sample, host: { ...sample.host, environment: { RUST_LOG: 'debug' } } }
    const before = { ...sample, host: { ...sample.host, environment: {} } }
    expect(compareRuns(before, after).objections.join()).toContain('RUST_LOG is debug, was not set')
    expect(compareRuns(before, before).objections).toEqual([])
  })
  it('stand beside the smallest change that they could have shown', () => {
    const { figures } = compareRuns(sample, sample)
    for (const { visible, change } of figures.filter(({ change }) => change.low > 0))
      expect(visible).toBeGreaterThan(change.high / change.value - 1)
    expect(comparisonMarkdown(sample, sample)).toMatch(/\| smallest visible \|[^]*\| [\d.]+ % \|/)
  })
  it('are compared with what differs, and refused on another host or plan', () => {
    expect(compareRuns(sample, sample)).toMatchObject({
      objections: [],
      differences: [],
      onlyA: [],
      onlyB: [],
    })
    const other = {
      ...sample,
      planHash: 'x',
      host: { ...sample.host, hostKey: 'y' },
      config: { ...sample.config, seed: 2 },
    }
    const result = compareRuns(sample, other)
    // Another seed is another order of the same trials.
    expect(result.objections).toHaveLength(1)
    const priced = {
      ...sample,
      planHash: 'x',
      config: { ...sample.config, cost: { ...sample.config.cost, perGibHour: 1 } },
    }
    expect(compareRuns(sample, priced).objections).toEqual([])
    const rounds = { ...other, config: { ...other.config, rounds: { ...other.config.rounds, min: 1 } } }
    expect(compareRuns(sample, rounds).objections).toHaveLength(2)
    expect(result.differences.map(({ what }) => what)).toContain('config.seed')
    expect(renderComparison(sample, other, readAssets(), true)).toContain(
      'Compared because it was asked for.',
    )
    expect(renderComparison(hostile, hostile, readAssets(), true)).not.toMatch(/<img|onerror="/)
  })
  it('decide nothing by memory, of which each has that of one process, however many its rounds', () => {
    const run = analyze(
      syntheticJournal({ rounds: 4, durationMs: 200, experiments: ['latency'], arms: ['l4-only'] }),
    )
    const comparisons = run.comparisons.map((comparison) =>
      comparison.metric === 'memory.rss'
        ? { ...comparison, ratio: { ...comparison.ratio, value: 9, low: 8, high: 10 } }
        : comparison,
    )
    const found = compareRuns(run, { ...run, comparisons }).figures.filter(
      ({ comparison }) => comparison.metric === 'memory.rss',
    )
    expect(found.length).toBeGreaterThan(0)
    expect(found.filter(({ state }) => state !== 'inconclusive')).toEqual([])
  })
  it('change only where their intervals do not touch', () => {
    const [first, ...rest] = sample.comparisons
    const moved = { ...first!, ratio: { ...first!.ratio, value: 9, low: 8, high: 10 } }
    const found = compareRuns(sample, { ...sample, comparisons: [moved, ...rest] }).figures.filter(
      ({ state }) => state === 'worse' || state === 'better',
    )
    expect(found.map(({ comparison }) => comparison.id)).toEqual([first!.id])
    expect(found[0]?.state).toBe('worse')
    const changed = { ...sample, comparisons: [moved, ...rest] }
    expect(comparisonMarkdown(sample, changed)).toMatch(/1 became worse and 0 better[^]*\| worse \|/)
    expect(
      compareRuns(sample, sample).figures.some(({ state }) => state === 'worse' || state === 'better'),
    ).toBe(false)
  })
})
