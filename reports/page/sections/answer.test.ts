import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { analyze } from '../../../harness/analyze/analyze.js'
import { gate } from '../../../harness/analyze/gate.js'
import type { Analysis } from '../../../harness/model.js'
import { readJournal } from '../../../harness/run/journal.js'
import { oneSidedSearch } from '../../../harness/testdata/one-sided-search.js'
import { syntheticJournal, type SyntheticOptions } from '../../../harness/testdata/synthetic-journal.js'
import { createFigureBook } from '../figures.js'
import { renderMarkdown } from '../../formats/markdown.js'
import { renderTerminal } from '../../formats/terminal.js'
import { sampleAnalysis } from '../../testdata/sample-analysis.js'
import { createView } from '../view.js'
import { buildAnswer } from './answer.js'
import { systemTable } from './systems.js'
import { gateNotes, gateTable } from './thresholds.js'

const journal = (options: SyntheticOptions) =>
  syntheticJournal({
    rounds: 3,
    durationMs: 300,
    arms: ['l4-only', 'l7-per-node'],
    invalidShare: 0,
    failedShare: 0,
    ...options,
  })
const answer = (analysis: Analysis) => buildAnswer(createView(analysis), createFigureBook())
const sameTwice = (analysis: Analysis) => {
  const { brief = '', html = '', ok } = answer(analysis).trust.find(({ name }) => name === 'A/A') ?? {}
  return { ok, brief, text: html.replaceAll(/<[^>]+>/g, '') }
}

const searched = journal({ rounds: 10, experiments: ['capacity'] })
const cutSearch = journal({ rounds: 6, experiments: ['capacity'] })

describe('the first screen says of A/A', () => {
  const sample = sampleAnalysis({ rates: [500, 1000] })
  const [first, ...others] = sample.noise.map((floor) => ({ ...floor, differs: false }))
  const wide = { ...first!.latencyP99!, value: 0.9, low: 0.8, high: 1 }

  test('which figure differs, and under which load when the answer speaks of another', () => {
    const lead = createView(sample).lead?.loadLabel
    const noise = [first!, ...others].map((floor) =>
      floor.loadLabel === lead ? floor : { ...floor, latencyP99: wide, differs: true },
    )
    const { ok, brief, text } = sameTwice({ ...sample, noise })
    expect([ok, brief]).toEqual([false, 'A/A differs'])
    expect(text).toMatch(
      /differ by \+0\.90.ms \(\+0\.80 to \+1\.00\) at p99 \(latency, 500\/s.*\): a difference where there is none/,
    )
    expect(text).not.toContain('no difference')
  })

  test.each([1, 2])('nothing after %i rounds, which find no difference whatever there is', (rounds) => {
    const few = analyze(journal({ rounds, experiments: ['latency'] }))
    const { ok, brief, text } = sameTwice(few)
    expect([ok, brief]).toEqual([false, 'A/A of too few rounds'])
    expect(text).toMatch(/so few rounds do not tell a difference\.$/)
    expect(answer(few).trustWord).toBe('With care')
  })

  test('what a search for the largest rate measured of the twin', () => {
    const both = sameTwice(analyze(searched))
    expect(both).toMatchObject({ ok: true, brief: 'A/A: no difference' })
    expect(both.text).toMatch(
      /^Two searches for the baseline’s largest rate found .*.req\/s .*: no difference\.$/,
    )
    const cut = sameTwice(analyze(journal({ rounds: 2, experiments: ['capacity'] })))
    expect(cut).toMatchObject({ ok: false, brief: 'no A/A' })
    expect(cut.text).not.toContain('not measured twice')
  })

  test('that capacities lie apart only where what is known of both tells so', () => {
    const oneSided = analyze(oneSidedSearch(cutSearch, 'none/baseline-twin', 'below'))
    expect(oneSided.warnings.join('\n')).toContain('A/A differs: the knee of the baseline')
    const apart = sameTwice(oneSided)
    expect(apart).toMatchObject({ ok: false, brief: 'A/A differs in capacity' })
    expect(apart.text).toContain('&#60;')
  })
})

describe('the headline', () => {
  test.each(['saturation', 'stream', 'capacity'] as const)(
    'of a run of %s alone is what it carries',
    (experiment) => {
      const { headline } = answer(
        analyze(experiment === 'capacity' ? searched : journal({ experiments: [experiment] })),
      )
      expect(headline).toMatch(
        /^Throughput against a direct connection\. L4 only: 0\.\d+ times; L7 per node: 0\.\d+ times$/,
      )
    },
  )

  test('says how far the cheapest is ahead of the next, where the two were compared', () => {
    const analysis = analyze(journal({ rounds: 8, arms: ['l4-only', 'l4-l7-l4'] }))
    const versus = analysis.comparisons.find(
      ({ arm, versus, metric }) => versus !== 'none/baseline' && arm !== versus && metric.startsWith('cpu'),
    )
    expect(answer(analysis).headline).toMatch(
      /^L4 only is the cheapest path: it adds .* of CPU per 1.000 requests, .*ms less than L4-L7-L4 in the same rounds$/,
    )
    expect(versus?.difference).toBeDefined()
  })

  test('stands beside a banner for an arm that kept its promise at no rate', () => {
    const { banners } = answer(analyze(oneSidedSearch(cutSearch, 'reference/l4-only', 'below')))
    expect(banners).toContain(
      'L4 only kept its p99 under 10 ms at no rate that was tried, down to 62.5 requests/s.',
    )
  })
})

test('rounds are those of the load that the answer speaks of, not of the search beside it', () => {
  const analysis = analyze(journal({ rounds: 12, plannedRounds: 3, experiments: ['latency', 'capacity'] }))
  expect(analysis.rounds.done).toBe(12)
  expect(answer(analysis).dateline).toContain(' · 3 rounds · ')
  expect(renderMarkdown(analysis)).toMatch(/^At 1.000 requests.*, 3 rounds; differences/m)
  expect(renderTerminal(analysis, { columns: 120, colour: false })).toMatch(
    /^at 1 000 requests.*, 3 rounds$/m,
  )
})

const failing = (path: string, options: SyntheticOptions = {}) =>
  journal(options).map((entry) =>
    entry.type === 'trial' && entry.cell.includes(path)
      ? {
          ...entry,
          state: 'failed' as const,
          error: { kind: 'hop-died' as const, message: 'waypoint ended' },
        }
      : entry,
  )

test('an arm without a figure stands in the picture, in the headline and in the trust line', () => {
  const { headline, pictures, trust } = answer(analyze(failing('l7-per-node')))
  expect(headline).toMatch(/^L4 only adds .*\. Not measured: L7 per node$/)
  expect(pictures[0]?.rows.map(({ label, note }) => [label, note])).toContainEqual([
    'L7 per node',
    expect.stringMatching(/^not measured: has no valid trial/) as string,
  ])
  expect(trust.filter(({ ok }) => !ok).map(({ brief }) => brief)).toEqual(['1 of 2 arms not measured'])
})

test('arms that did not come up for one reason share a banner, and the tie of the others is told after their repair', () => {
  const analysis = sampleAnalysis({ rounds: 3, rates: [1000] })
  const [kept, ...lost] = analysis.arms.filter(({ role }) => role === 'subject')
  const gone = lost.slice(0, 2).map(({ id }) => id)
  const here = <T extends { readonly arm: string }>(list: readonly T[]) =>
    list.filter(({ arm }) => !gone.includes(arm))
  const error = { kind: 'tool' as const, message: 'no envoy here' }
  const { banners, nextHtml } = answer({
    ...analysis,
    cells: here(analysis.cells),
    trials: here(analysis.trials),
    comparisons: here(analysis.comparisons),
    failures: Object.fromEntries(gone.map((arm) => [arm, error])),
  })
  expect(banners.filter((text) => text.includes('no envoy here'))).toHaveLength(1)
  expect(banners.join()).toMatch(/ and .* did not come up: no envoy here\./)
  expect(kept).toBeDefined()
  expect(nextHtml).toMatch(/^repair what did not come up/)
})

test('a trial that was repeated is no reason for doubt; one that is missing is', () => {
  const trials = (entries: ReturnType<typeof journal>) =>
    answer(analyze(entries)).trust.find(({ name }) => name === 'Trials')
  const [first] = journal({}).filter(({ type }) => type === 'trial')
  const repeated = journal({}).flatMap((entry) =>
    entry.type === 'trial' && first?.type === 'trial' && entry.index === first.index
      ? [
          { ...entry, state: 'invalid' as const, reasons: ['lag'] },
          { ...entry, index: 900, attempt: 1 },
        ]
      : [entry],
  )
  expect(trials(repeated)).toMatchObject({ ok: true, brief: 'no round has a gap, 1 of 25 trials repeated' })
  expect(trials(repeated.filter((entry) => entry.type !== 'trial' || entry.index !== 900))).toMatchObject({
    ok: false,
    brief: '1 of 24 trials not valid',
    html: expect.stringContaining('1 trial stayed without a valid repetition') as string,
  })
  const none = journal({}).map((entry) =>
    entry.type === 'trial' ? { ...entry, state: 'invalid' as const, reasons: ['lag'] } : entry,
  )
  // Nothing is compared, with a gap or without.
  expect(trials(none)?.html).toMatch(/^0 valid trials, 24 invalid, 0 failed \([^)]*\)\.$/)
})

test('what to do next is to mend a hop that died, before the run goes on', () => {
  const entries = failing('l7-per-node')
  expect(answer(analyze(entries)).nextHtml).toMatch(/^find out why what failed did .*mend it, then go on/)
})

test('only a system’s own arms stand in its row of the five views', () => {
  const rows = (options: SyntheticOptions) => {
    const view = createView(analyze(journal(options)))
    return new Map(
      systemTable(view, createFigureBook()).rows.map(([name, ...cells]) => [
        name as string,
        (cells.at(-1) as { readonly html: string }).html,
      ]),
    )
  }
  for (const html of rows({ arms: ['l4-only', 'l7-per-node', 'l4-l7-l4'] }).values())
    expect(html).toContain('no arm of its own')
  const own = rows({ others: { cilium: ['l7-per-node'] } })
  expect(own.get('Cilium')).toMatch(/\d.*ms/)
  expect(own.get('Linkerd 1.x')).toContain('no arm of its own')
  expect(own.get('Istio ambient')).toContain('no arm of its own')
})

describe('what to do next', () => {
  const kept = new URL('../../../harness/testdata/journals/variants/journal.jsonl', import.meta.url)
  const variants = analyze(readJournal(fileURLToPath(kept)).entries)

  test('is said of the check that is nearest to a decision by rounds, not of memory of one process', () => {
    const { nextHtml, pictures } = answer(variants)
    expect(nextHtml).toMatch(/^its CPU, of L4 only @cold, is the nearest to a decision/)
    const chips = pictures[0]?.rows[0]?.cells.map(({ chip }) => chip?.text)
    expect(chips).toEqual(['inconclusive', 'inconclusive', 'rounds of one process'])
    expect(gate(variants).variants.find(({ isOneProcess }) => isOneProcess)?.sentence).toContain(
      'rounds of one process are no independent samples',
    )
  })

  test('has a table of checks with short cells, and in words what they have no room for', () => {
    const view = createView(variants)
    const verdicts = gate(variants, {
      checks: [
        { metric: 'cpu.per1000Requests', practical: 0.07 },
        { metric: 'memory.rss', practical: 0.1 },
      ],
      inconclusive: 'pass',
    }).variants
    const { rows } = gateTable(view, createFigureBook(), verdicts)
    const texts = rows.flat().map((cell) => (typeof cell === 'string' ? cell : ''))
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThanOrEqual(40)
    expect(texts).toContain('±7 %')
    const notes = gateNotes(view, verdicts)
    expect(notes).toContain('latency, 500/s c8 1024B http1: 500 requests/s, 8 connections')
    expect(notes).toContain('rounds of one process are no independent samples')
  })

  test('calls no difference small because it is not known', () => {
    expect(answer(variants).nextHtml).not.toMatch(/next to nothing|small/)
  })
})

describe('functions have a price, which is neither better nor worse', () => {
  const asConfigured = { source: 'as configured', settings: {}, builds: {} }
  const priced = (options: SyntheticOptions) =>
    analyze(
      journal({
        rounds: 12,
        arms: ['l7-per-node'],
        experiments: ['latency'],
        variants: [
          { name: 'plain', ...asConfigured },
          ...['jwt', 'retry'].map((name) => ({
            ...{ name, ...asConfigured, function: name, source: `function:${name}` },
            settings: { proxy: {} },
          })),
        ],
        ...options,
      }),
    )
  const dear = priced({ effect: { 'reference/l7-per-node@jwt': { cpu: 1.3 } } })

  test('the first screen says which costs most, and how many cost nothing that it can tell', () => {
    const { headline, pictures, nextHtml } = answer(dear)
    expect(headline).toMatch(
      /^L7 per node @jwt adds \+?[\d.]+.ms of CPU per 1.000 requests; of the other arms with a function 1 adds none that this run can tell$/,
    )
    expect(pictures.map(({ id }) => id)).toEqual(['functions-picture', 'picture'])
    expect(pictures[0]?.rows.map(({ label }) => label)).toEqual(['L7 per node @jwt', 'L7 per node @retry'])
    expect(headline + nextHtml).not.toMatch(/worse|better/)
    expect(answer(priced({})).headline).toBe(
      'None of 2 arms with a function more adds CPU that this run can tell',
    )
  })

  test('no gate fails because of one', () => {
    expect(gate(dear)).toMatchObject({ variants: [], outcome: 'pass' })
  })
})
