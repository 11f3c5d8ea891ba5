/**
 * What the page says of seeded runs, as text that a reviewer can read: `vitest run reports/golden -u` writes it anew after
 * a change that is meant. The bytes themselves are compared with a second rendering only, so that a style can change.
 */
import { describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import type { Analysis } from '../../harness/model.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { renderHtml } from './render.js'
import { readAssets } from '../testdata/assets.js'
import { outlineOf } from '../testdata/outline.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'

const assets = readAssets()
const largestPage = 1_500_000

const pages: readonly { readonly name: string; readonly arms: number; readonly make: () => Analysis }[] = [
  { name: 'small', arms: 6, make: () => analyze(syntheticJournal({ rounds: 4, durationMs: 300 })) },
  {
    name: 'five-arms-200-rounds',
    arms: 6,
    make: () =>
      analyze(
        syntheticJournal({ rounds: 200, experiments: ['latency'], ratesPerSecond: [500], durationMs: 300 }),
      ),
  },
  {
    name: 'thirty-arms-240-rounds',
    arms: 30,
    make: () =>
      sampleAnalysis({
        rounds: 240,
        rates: [1000],
        meshes: ['reference', 'haproxy', 'nginx', 'envoy', 'istio', 'cilium', 'linkerd'],
      }),
  },
]

describe.each(pages)('the page of $name', ({ name, arms, make }) => {
  it('says what it said, is small enough, and is the same bytes when rendered again', async () => {
    const analysis = make()
    expect(analysis.arms).toHaveLength(arms)
    const html = await renderHtml(analysis, assets)
    expect(Buffer.byteLength(html)).toBeLessThan(largestPage)
    expect((await renderHtml(analysis, assets)) === html).toBe(true)
    await expect(`${outlineOf(html)}\n`).toMatchFileSnapshot(`../testdata/golden/${name}.txt`)
  }, 120_000)
})
