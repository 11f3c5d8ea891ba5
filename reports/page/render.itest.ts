/** The page as text: what stands first, what is said of partial and empty runs, and that a hostile journal stays inert. */
import { beforeAll, describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { renderHtml } from './render.js'
import { readAssets } from '../testdata/assets.js'
import { attacks, hostileAnalysis } from '../testdata/hostile.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'

const assets = readAssets()

/** Names of elements and attributes in a page, read by a tokenizer of its own. */
function tagsOf(html: string): { readonly names: Set<string>; readonly attributes: Set<string> } {
  const [names, attributes] = [new Set<string>(), new Set<string>()]
  const body = html.replace(/<(script|style)\b[^>]*>[\s\S]*?<\/\1>/g, '<$1>')
  for (const [, name = '', rest = ''] of body.matchAll(/<([a-zA-Z][\w-]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>/g)) {
    names.add(name.toLowerCase())
    for (const [, attribute = ''] of rest.matchAll(/([^\s=/"'>]+)(?:="[^"]*")?/g))
      attributes.add(attribute.toLowerCase())
  }
  return { names, attributes }
}

describe('the page', () => {
  let honest: string
  beforeAll(async () => {
    honest = await renderHtml(sampleAnalysis({ rounds: 3, rates: [1000] }), assets)
  })

  it('answers first, and asks for nothing from anywhere', () => {
    const html = honest
    expect(html.indexOf('class="picture"')).toBeLessThan(html.indexOf('id="paths"'))
    expect(html).toContain('default-src &#x27;none&#x27;')
    expect(html).not.toMatch(/\b(src|href|action|srcset|poster)="(?!#)/)
    expect(html).not.toMatch(/@import|<link|<img|<iframe|<object/)
    for (const section of ['answer', 'paths', 'latency', 'resources', 'trust', 'evidence'])
      expect(html).toContain(`<section id="${section}"`)
  })

  it('says at the top that a run is partial, and which arm failed', async () => {
    const analysis = {
      ...sampleAnalysis({ rounds: 3, rates: [1000], outcome: 'interrupted' }),
      failures: { 'reference/l4-only': { kind: 'not-ready', message: 'the port was taken' } as const },
    }
    const html = await renderHtml(analysis, assets)
    const first = html.slice(html.indexOf('<h1'), html.indexOf('class="picture"'))
    expect(first).toContain('Partial run.')
    expect(first).toContain('the port was taken')
  })

  it.each([
    [['run', '--out', 'results/here', '--rounds', '3']],
    [['run', '--rounds', '3', '--out=results/here']],
  ])(
    'gives a command that measures again, which no run does into a folder that has one: %j',
    async (command) => {
      const html = await renderHtml({ ...sampleAnalysis({ rounds: 1 }), command }, assets)
      expect(html).toContain('npm run meshbench -- run --rounds 3 --seed 1<')
      expect(html).not.toContain('results/here')
    },
  )

  it('renders a run without a single valid trial', async () => {
    const empty = {
      ...sampleAnalysis({ rounds: 1 }),
      cells: [],
      comparisons: [],
      noise: [],
      increments: [],
      claims: [],
      trials: [],
      thresholds: [],
      proofs: {},
    }
    const html = await renderHtml(empty, assets)
    expect(html).toContain('Nothing was measured: this run has no trial')
    expect(html).not.toContain('NaN')
  })

  it('says of a run whose trials are all invalid what happened, and claims nothing that is untrue', async () => {
    const reasons = ['the generator lagged: p99 of sent − due was 5000 µs; at most 2000 µs']
    const analysis = analyze(
      syntheticJournal({ rounds: 3, durationMs: 300, failedShare: 0 }).map((entry) =>
        entry.type === 'trial' ? { ...entry, state: 'invalid' as const, reasons } : entry,
      ),
    )
    const html = await renderHtml(analysis, assets)
    const first = html.slice(html.indexOf('<h1'), html.indexOf('</section>'))
    expect(first).toMatch(/Nothing can be said: none of \d+ trials is valid/)
    expect(first).toContain('the generator lagged')
    expect(first).toContain('meshbench -- doctor')
    expect(html).not.toContain('was not measured twice')
    expect(html).not.toContain('reported neither lag nor CPU')
  })

  it('is inert when every string of the journal is hostile', async () => {
    const hostile = await renderHtml(hostileAnalysis(), assets)
    const [seen, known] = [tagsOf(hostile), tagsOf(honest)]
    // No element or attribute that an honest page does not have either.
    expect([...seen.names].filter((name) => !known.names.has(name))).toEqual([])
    expect([...seen.attributes].filter((name) => !known.attributes.has(name))).toEqual([])
    expect(hostile.match(/<script/g)?.length).toBe(honest.match(/<script/g)?.length)
    expect(hostile.match(/<\/script/g)?.length).toBe(honest.match(/<\/script/g)?.length)
    expect(hostile.match(/<\/style/g)?.length).toBe(honest.match(/<\/style/g)?.length)
    // eslint-disable-next-line no-control-regex
    expect(hostile).not.toMatch(/[\u0000\u0007\u001b\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b]/)
    expect(attacks.length).toBeGreaterThan(10)
  })
})
