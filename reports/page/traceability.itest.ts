/** Figures on the page against the journal, by code that shares nothing with the analysis. Rendering is too slow for a unit test. */
import { build as hdr, decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import type { Trial } from '../../harness/model.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { renderHtml } from './render.js'
import { readAssets } from '../testdata/assets.js'
import { mulberry32 } from '../testdata/sample-analysis.js'

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

type Reading = (trial: Trial) => number

const ok = (trial: Trial) => trial.load?.ok ?? Number.NaN

/** ms of CPU per 1 000 requests of the components that a predicate picks. */
const cpuOf =
  (picks: (component: string, category: string, trial: Trial) => boolean): Reading =>
  (trial) =>
    (trial.usage?.components ?? [])
      .filter(({ component, category }) => picks(component, category, trial))
      .reduce((sum, { cpuNs }) => sum + cpuNs / 1e6, 0) /
    (ok(trial) / 1000)

/** Figures are printed with so many digits. */
const printed = 1e-7

/** ms at a percentile of one of a trial's histograms. */
const percentileMs =
  (histogram: 'response' | 'connect' | 'firstByte', percentile: string | undefined): Reading =>
  (trial) =>
    decodeFromCompressedBase64(trial.load?.[histogram]?.data ?? '').getValueAtPercentile(Number(percentile)) /
    1000

/** The histograms keep three significant digits, and the analysis may place a percentile within a bucket. */
const bucketed = 0.002
/** A bucket is never narrower. */
const leastBucketMs = 0.001

/** CPU in ms of the arm's own hops and the application that it shares. */
const attributedMs: Reading = (trial) =>
  cpuOf((component, category, { cell }) => {
    const arm = cell.split('|')[1] ?? ''
    return category === 'application' || component.startsWith(`${arm}/`)
  })(trial) *
  (ok(trial) / 1000)

const gib = (trial: Trial) => (trial.load?.bodyBytes ?? Number.NaN) / 2 ** 30

/** How each kind of figure is read off a trial, and how exactly it can be: a share of what is read. */
const kinds: readonly {
  readonly name: RegExp
  readonly tolerance: number
  /** The page has at least so many of them; ten where it is not said. */
  readonly least?: number
  readonly reading: (match: RegExpExecArray) => Reading
}[] = [
  {
    name: /^latency\.response p([\d.]+) (?:difference|value)$/,
    tolerance: bucketed,
    reading: (match) => percentileMs('response', match[1]),
  },
  {
    name: /^cpu\.per1000Requests (?:difference|value)$/,
    tolerance: printed,
    reading: () => (trial) => attributedMs(trial) / (ok(trial) / 1000),
  },
  {
    name: /^connect\.time p([\d.]+) value$/,
    tolerance: bucketed,
    least: 5,
    reading: (match) => percentileMs('connect', match[1]),
  },
  {
    name: /^connect\.firstByte p([\d.]+) (?:difference|value)$/,
    tolerance: bucketed,
    reading: (match) => percentileMs('firstByte', match[1]),
  },
  {
    name: /^connect\.handshakesPerConnection value$/,
    tolerance: printed,
    least: 2,
    reading: () => (trial) => (trial.tlsHandshakes ?? Number.NaN) / (trial.load?.connectionsOpened ?? 0),
  },
  {
    name: /^stream\.throughput value$/,
    tolerance: printed,
    least: 5,
    reading: () => (trial) =>
      ((trial.load?.bodyBytes ?? Number.NaN) * 8) / 1e9 / ((trial.load?.windowMs ?? 0) / 1000),
  },
  {
    name: /^cpu\.perGib (?:difference|value)$/,
    tolerance: printed,
    least: 8,
    reading: () => (trial) => attributedMs(trial) / 1000 / gib(trial),
  },
  {
    name: /^cpu\.perGib value of (.+\/.+|echo)$/,
    tolerance: printed,
    reading: (match) => (trial) =>
      (cpuOf((component) => component === match[1])(trial) * (ok(trial) / 1000)) / 1000 / gib(trial),
  },
  {
    name: /^cpu\.per1000Requests value of (.+\/.+|echo)$/,
    tolerance: printed,
    reading: (match) => cpuOf((component) => component === match[1]),
  },
  {
    name: /^memory\.rss value of (.+)$/,
    tolerance: printed,
    reading: (match) => (trial) =>
      (trial.usage?.components.find(({ component }) => component === match[1])?.rssBytes ?? Number.NaN) /
      2 ** 20,
  },
]

describe('figures on the page', () => {
  it('can be recomputed from the journal: ten of each kind, drawn at random', async () => {
    void hdr // The package must be loaded whole for decoding.
    const journal = syntheticJournal({ rounds: 9, experiments: ['latency', 'connect', 'stream'] })
    const html = await renderHtml(analyze(journal), readAssets())
    const trials = journal.filter((entry): entry is Trial => entry.type === 'trial' && entry.state === 'ok')
    const byRound = (cell: string, reading: Reading) =>
      new Map(trials.filter((trial) => trial.cell === cell).map((trial) => [trial.round, reading(trial)]))
    const figures = figuresOf(html)
    const random = mulberry32(7)
    for (const { name, tolerance, least = 10, reading } of kinds) {
      const left = figures.filter((figure) => name.test(figure.name))
      expect([String(name), left.length >= least]).toEqual([String(name), true])
      for (let count = 0; count < 10 && left.length > 0; count++) {
        const [figure] = left.splice(Math.floor(random() * left.length), 1)
        const read = reading(name.exec(figure!.name)!)
        const [first, second] = figure!.cells.map((cell) => byRound(cell, read))
        const rounds = [...first!.keys()].filter((round) => second?.has(round) ?? true)
        expect(figure!.n).toBe(rounds.length)
        const expected = hodgesLehmann(rounds.map((round) => first!.get(round)! - (second?.get(round) ?? 0)))
        const error = Math.abs(figure!.value - expected)
        const allowed = Math.max(
          tolerance === bucketed ? leastBucketMs : 0,
          tolerance * Math.max(...first!.values()),
        )
        expect([figure!.name, error <= allowed ? 'equal' : error]).toEqual([figure!.name, 'equal'])
      }
    }
  }, 60_000)
})
