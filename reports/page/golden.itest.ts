/**
 * What the page says of seeded runs, as text that a reviewer can read: `vitest run reports/golden -u` writes it anew after
 * a change that is meant. The bytes themselves are compared with a second rendering only, so that a style can change.
 */
import { readFileSync } from 'node:fs'
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

const before = readFileSync(new URL('../testdata/golden/figures-before.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')

/** `metric: cells that it was computed from`, for every figure of a page. */
function figuresOf(html: string): ReadonlySet<string> {
  const legend = JSON.parse(/id="figure-legend">(.*?)<\/script>/s.exec(html)?.[1] ?? '') as {
    names: string[]
    cells: string[]
  }
  return new Set(
    [...html.matchAll(/<data class="fig" ([^>]*)>/g)].map(([, text = '']) => {
      const at = (name: string) => new RegExp(`data-${name}="([^"]*)"`).exec(text)?.[1] ?? ''
      const cells = at('cells')
        .split(' ')
        .map((index) => legend.cells[Number(index)] ?? '')
      return `${legend.names[Number(at('name'))] ?? ''}: ${cells.join(' & ')}`
    }),
  )
}

describe.each(pages)('the page of $name', ({ name, arms, make }) => {
  it('says what it said, is small enough, and is the same bytes when rendered again', async () => {
    const analysis = make()
    expect(analysis.arms).toHaveLength(arms)
    const html = await renderHtml(analysis, assets)
    expect(Buffer.byteLength(html)).toBeLessThan(largestPage)
    expect((await renderHtml(analysis, assets)) === html).toBe(true)
    await expect(`${outlineOf(html)}\n`).toMatchFileSnapshot(`../testdata/golden/${name}.txt`)
    // Whatever the page is rearranged into, no figure that it ever printed of this run may get lost.
    if (name === 'small') {
      const printed = figuresOf(html)
      expect(before.filter((figure) => !printed.has(figure))).toEqual([])
    }
  }, 120_000)
})
