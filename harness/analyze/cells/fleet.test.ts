import { expect, test } from 'vitest'
import { renderMarkdown } from '../../../reports/formats/markdown.js'
import { analysisSchema } from '../../model/analysis.js'
import type { FleetBill, JournalEntry } from '../../model.js'
import { syntheticJournal } from '../../testdata/synthetic-journal.js'
import { analyze } from '../analyze.js'
import { withFleet } from './fleet.js'

const asked = { requestsPerSecond: 10_000, pods: 1000, nodes: 50, waypoints: 4 }
const entries = syntheticJournal({ experiments: ['latency'], ratesPerSecond: [1000], rounds: 12 })
const billsOf = (journal: readonly JournalEntry[], fleet = asked) =>
  analyze(withFleet(journal, fleet)).fleet ?? []
const billOf = (bills: readonly FleetBill[], path: string) =>
  bills.find(({ arm }) => arm === `reference/${path}`)!
const covers = ({ low, high }: { readonly low: number; readonly high: number }, truth: number) =>
  low <= truth && truth <= high

/** What the journal's hops take in truth: µs a request, and the proportional set size in MiB, of which half a MiB is noise. */
const truth = { l4Us: 42, l7Us: 78, l4Mib: 0.6 * 62.5, l7Mib: 0.6 * 76.5 }

test('without a fleet nothing is billed to one', () => {
  expect(analyze(entries)).not.toHaveProperty('fleet')
})

test('cores grow with requests, memory with hops: one a pod, a node or a waypoint', () => {
  const bills = billsOf(entries)
  const sidecars = billOf(bills, 'l7-sidecar-to-sidecar')
  expect(sidecars.hops.map(({ per, count }) => [per, count])).toEqual([['pod', 1000]])
  expect(covers(sidecars.cores, 2 * truth.l7Us * 0.01)).toBe(true)
  expect(sidecars.memory!.value / (1000 * truth.l7Mib)).toBeCloseTo(1, 1)

  const ambient = billOf(bills, 'l4-l7-l4')
  expect(ambient.hops.map(({ per, count }) => [per, count])).toEqual([
    ['node', 50],
    ['waypoint', 4],
  ])
  expect(covers(ambient.cores, (2 * truth.l4Us + truth.l7Us) * 0.01)).toBe(true)
  expect(ambient.memory!.value / (50 * truth.l4Mib + 4 * truth.l7Mib)).toBeCloseTo(1, 1)
})

test('money is that of cores and memory at the prices of the config, at the rate of the fleet and at others', () => {
  const { cores, memory, memoryPerMonth, perMonth } = billOf(billsOf(entries), 'l7-sidecar-to-sidecar')
  const month = 730
  const ofMemory = month * (memory!.value / 1024) * 0.005
  expect(memoryPerMonth!.value).toBeCloseTo(ofMemory, 0)
  for (const [index, factor] of [1, 0.1, 10].entries()) {
    expect(perMonth[index]!.requestsPerSecond).toBe(10_000 * factor)
    const expected = ofMemory + month * cores.value * factor * 0.04
    expect(perMonth[index]!.cost.value / expected).toBeCloseTo(1, 1)
  }
})

test('paths are set against the least of those that do the same, which turns with the fleet', () => {
  const large = billsOf(entries)
  expect(billOf(large, 'l7-per-node').versus).toBeUndefined()
  expect(billOf(large, 'l4-only').versus).toBeUndefined()
  expect(billOf(large, 'l7-sidecar-to-sidecar').versus).toMatchObject({
    arm: 'reference/l7-per-node',
    verdict: 'worse',
  })
  const pairs = syntheticJournal({
    ...{ experiments: ['latency'], ratesPerSecond: [1000], rounds: 12 },
    arms: ['l7-sidecar-to-sidecar', 'l4-l7-l4'],
  })
  expect(billOf(billsOf(pairs), 'l4-l7-l4').versus).toBeUndefined()
  // A pod a node, and a waypoint for each: then sidecars need fewer hops.
  const small = billsOf(pairs, { requestsPerSecond: 10, pods: 50, nodes: 50, waypoints: 50 })
  expect(billOf(small, 'l4-l7-l4').versus).toMatchObject({ verdict: 'worse' })
})

test('one life of processes decides only what lies further apart than processes do', () => {
  const pairs = syntheticJournal({
    ...{ experiments: ['latency'], ratesPerSecond: [1000], rounds: 12 },
    arms: ['l7-sidecar-to-sidecar', 'l7-per-node'],
    effect: { 'reference/l7-per-node': { memory: 1.1 } },
  })
  // As many of one as of the other, and next to no traffic: a tenth more memory is all that differs.
  const bills = billsOf(pairs, { requestsPerSecond: 1, pods: 50, nodes: 50, waypoints: 1 })
  expect(billOf(bills, 'l7-per-node').versus).toMatchObject({ verdict: 'inconclusive' })
  expect(billOf(bills, 'l7-per-node').versus!.ratio.low).toBeGreaterThan(1)
})

test('what a node has off the path tells nothing of those that carry something, and all there is where none does', () => {
  const process = 'ztunnel on a node off the path'
  const withIdle = entries.map((entry): JournalEntry => {
    if (entry.type === 'environment') {
      const idle = { name: process, category: 'l4', node: 'waypoint', process } as const
      return { ...entry, components: [...entry.components, idle] }
    }
    if (entry.type !== 'trial' || !entry.usage) return entry
    const row = {
      component: process,
      category: 'l4',
      cpuNs: 0,
      pssBytes: 2 ** 20,
      source: 'x',
      resolutionNs: 1,
    } as const
    return { ...entry, usage: { ...entry.usage, components: [...entry.usage.components, row] } }
  })
  const [before, then] = [billsOf(entries), billsOf(withIdle)]
  expect(billOf(then, 'l4-only').memory!.value).toBeCloseTo(billOf(before, 'l4-only').memory!.value, 6)
  // Sidecars carry it all, and each node has one of these as well.
  const sidecars = billOf(then, 'l7-sidecar-to-sidecar')
  expect(sidecars.hops.map(({ per, count }) => [per, count])).toEqual([
    ['pod', 1000],
    ['node', 50],
  ])
  expect(sidecars.memory!.value - billOf(before, 'l7-sidecar-to-sidecar').memory!.value).toBeCloseTo(50, 6)
})

test('where the memory of a hop is not known there is no money', () => {
  const unknown = entries.map((entry) =>
    entry.type === 'trial' && entry.usage
      ? {
          ...entry,
          usage: {
            ...entry.usage,
            components: entry.usage.components.map(({ rssBytes: _, pssBytes: __, ...row }) => row),
          },
        }
      : entry,
  )
  const bill = billOf(billsOf(unknown), 'l4-only')
  expect(bill).toMatchObject({ hops: [], perMonth: [] })
  expect(bill).not.toHaveProperty('memory')
  expect(bill.cores.n).toBeGreaterThan(0)
})

test('arms of two environments are set against each other, each less its own baseline', () => {
  const bills = billsOf(
    syntheticJournal({
      experiments: ['latency'],
      ratesPerSecond: [1000],
      meshes: { sidecar: { paths: ['l7-sidecar-to-sidecar'] }, ambient: { paths: ['l4-l7-l4'] } },
    }),
  )
  expect(bills.map(({ arm, versus }) => [arm, versus?.arm])).toEqual([
    ['sidecar/l7-sidecar-to-sidecar', 'ambient/l4-l7-l4'],
    ['ambient/l4-l7-l4', undefined],
  ])
})

test('it is part of the published shape, and of a summary in Markdown', () => {
  const analysis = analyze(withFleet(entries, asked))
  expect(analysisSchema.parse(analysis)).toEqual(analysis)
  const text = renderMarkdown(analysis)
  expect(text).toContain('on 1\u202f000 pods, 50 nodes and 4 waypoints')
  expect(text).toMatch(/\| L7 per node \| 0\.7\d/)
})
