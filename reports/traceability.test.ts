import { build as hdr, decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import { analyze } from '../harness/analyze.js'
import type { Trial } from '../harness/model.js'
import { syntheticJournal } from '../harness/testdata/synthetic-journal.js'
import { renderHtml } from './render.js'
import { readAssets } from './testdata/assets.js'
import { mulberry32 } from './testdata/sample-analysis.js'

interface Printed {
  readonly name: string
  readonly value: number
  readonly n: number
  readonly cells: readonly string[]
}

/** Reads the figures off the page alone: attributes, and the legend they point into. */
function figuresOf(html: string): Printed[] {
  const legend = JSON.parse(/id="figure-legend">(.*?)<\/script>/s.exec(html)?.[1] ?? '{}') as {
    cells: string[]
    names: string[]
  }
  return [...html.matchAll(/<data class="fig" ([^>]*)>/g)].map(([, text = '']) => {
    const at = Object.fromEntries(
      [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
    )
    return {
      name: legend.names[Number(at['data-name'])] ?? '',
      value: Number(at.value),
      n: Number(at['data-n']),
      cells: (at['data-cells'] ?? '').split(' ').map((index) => legend.cells[Number(index)] ?? ''),
    }
  })
}

/** Hodges-Lehmann by definition: the median of all pairwise means. Written here on its own, from the textbook. */
function hodgesLehmann(values: readonly number[]): number {
  const means = values.flatMap((a, i) => values.slice(i).map((b) => (a + b) / 2)).sort((a, b) => a - b)
  const half = means.length / 2
  return means.length % 2 === 1 ? means[Math.floor(half)]! : (means[half - 1]! + means[half]!) / 2
}

describe('figures on the page', () => {
  it('can be recomputed from the journal: ten drawn at random', async () => {
    void hdr // The package must be loaded whole for decoding.
    const journal = syntheticJournal({ rounds: 9, experiments: ['latency'] })
    const html = await renderHtml(analyze(journal), readAssets())
    const trials = journal.filter((entry): entry is Trial => entry.type === 'trial' && entry.state === 'ok')
    const byRound = (cell: string, percentile: number) =>
      new Map(
        trials
          .filter((trial) => trial.cell === cell)
          .map((trial) => [
            trial.round,
            decodeFromCompressedBase64(trial.load?.response?.data ?? '').getValueAtPercentile(percentile) /
              1000,
          ]),
      )
    const candidates = figuresOf(html).filter(({ name }) =>
      /^latency\.response p[\d.]+ (difference)$/.test(name),
    )
    expect(candidates.length).toBeGreaterThan(10)
    const random = mulberry32(7)
    for (let count = 0; count < 10; count++) {
      const figure = candidates[Math.floor(random() * candidates.length)]!
      const percentile = Number(/p([\d.]+)/.exec(figure.name)?.[1])
      const [first, second] = figure.cells.map((cell) => byRound(cell, percentile))
      const rounds = [...first!.keys()].filter((round) => second!.has(round))
      expect(figure.n).toBe(rounds.length)
      const expected = hodgesLehmann(rounds.map((round) => first!.get(round)! - second!.get(round)!))
      // The histograms keep three significant digits, and the analysis may place a percentile within a bucket.
      expect(Math.abs(figure.value - expected)).toBeLessThan(0.004 * Math.max(...first!.values()))
    }
  }, 60_000)
})
