import { expect, test } from 'vitest'
import { analyze } from './analyze.js'
import { analysisSchema } from '../model/analysis.js'
import type { JournalEntry, Trial } from '../model.js'
import { syntheticJournal } from '../testdata/synthetic-journal.js'
import { renderCsv } from '../../reports/formats/csv.js'
import { renderMarkdown } from '../../reports/formats/markdown.js'
import { renderOpenMetrics } from '../../reports/formats/openmetrics.js'
import { renderTerminal } from '../../reports/formats/terminal.js'

const entries = syntheticJournal({
  rounds: 6,
  experiments: ['connect', 'stream'],
  arms: ['l4-only', 'l4-l7-l4'],
  invalidShare: 0,
  failedShare: 0,
})
const analysis = analyze(entries)
const subject = 'reference/l4-only'
const cellOf = (experiment: string, arm: string) =>
  analysis.cells.find((cell) => cell.experiment === experiment && cell.arm === arm)!
const trialsOf = (journal: readonly JournalEntry[], cell: string) =>
  journal.filter((entry): entry is Trial => entry.type === 'trial' && entry.cell === cell)
const compared = (metric: string, percentile?: number) =>
  analysis.comparisons.find(
    (comparison) =>
      comparison.metric === metric &&
      comparison.arm === subject &&
      comparison.versus === 'none/baseline' &&
      comparison.percentile === percentile,
  )

test('new connections have times to connect and to the first byte, with paired differences', () => {
  const { connect } = cellOf('connect', subject)
  expect(Object.keys(connect!.time)).toEqual(['50', '99'])
  const [time, firstByte] = [connect!.time['50']!, connect!.firstByte['50']!]
  expect(time).toMatchObject({ unit: 'ms', n: 6, level: 0.95 })
  expect(firstByte.value).toBeGreaterThan(time.value)
  const difference = compared('connect.firstByte', 50)!
  expect(difference.verdict).toBe('worse')
  expect(difference.difference.value).toBeCloseTo(
    firstByte.value - cellOf('connect', 'none/baseline').connect!.firstByte['50']!.value,
    1,
  )
  expect(compared('cpu.per1000Requests')?.difference.n).toBe(6)
  // One handshake in each trial; nothing is known of arms that encrypt nothing.
  const opened = trialsOf(entries, cellOf('connect', subject).cell)[0]!.load!.connectionsOpened
  expect(connect!.handshakesPerConnection!.value).toBeCloseTo(1 / opened)
  expect(cellOf('connect', 'none/baseline').connect!.handshakesPerConnection).toBeUndefined()
})

test('the claim that tunnels share connections is answered by the handshakes that were counted', () => {
  const claim = analysis.claims.find(({ id }) => id === 'C8')
  expect(claim).toMatchObject({ verdict: 'supported', figures: [{ estimate: { n: 6 } }] })
  expect(claim?.sentence).toMatch(
    /The smallest difference from that which this run could have seen is [\d.]+\.$/,
  )
  const cold = entries.map((entry) =>
    entry.type === 'trial' && entry.tlsHandshakes !== undefined
      ? { ...entry, tlsHandshakes: entry.load!.connectionsOpened }
      : entry,
  )
  expect(analyze(cold).claims.find(({ id }) => id === 'C8')?.verdict).toBe('refuted')
})

test('a share of handshakes near what is claimed takes as many rounds as its interval is too wide by', () => {
  const near = entries.map((entry) =>
    entry.type === 'trial' && entry.tlsHandshakes !== undefined
      ? {
          ...entry,
          tlsHandshakes: entry.load!.connectionsOpened * (entry.round % 2 === 0 ? 0.08 : 0.11),
        }
      : entry,
  )
  expect(analyze(near).claims.find(({ id }) => id === 'C8')).toMatchObject({
    verdict: 'inconclusive',
    next: expect.stringMatching(/^about \d+ more rounds$/) as string,
  })
})

test('long transfers have Gb/s and CPU per GiB, of arms and of components', () => {
  const { stream, bill, cell } = cellOf('stream', subject)
  const trials = trialsOf(entries, cell)
  const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[3]!
  const gigabits = middle(trials.map(({ load }) => (load!.bodyBytes * 8) / 1e6 / load!.windowMs))
  expect(stream!.throughput.unit).toBe('Gb/s')
  expect(stream!.throughput.value / gigabits).toBeGreaterThan(0.9)
  expect(stream!.throughput.value / gigabits).toBeLessThan(1.1)
  const echo = bill.find(({ component }) => component === 'echo')!.cpuPerGib!
  const seconds = middle(
    trials.map(
      ({ load, usage }) =>
        (usage!.components.find(({ component }) => component === 'echo')!.cpuNs / 1e9 / load!.bodyBytes) *
        2 ** 30,
    ),
  )
  expect(echo.value / seconds).toBeGreaterThan(0.9)
  expect(echo.value / seconds).toBeLessThan(1.1)
  expect(stream!.cpuPerGib!.value).toBeGreaterThan(echo.value)
  // More Gb/s are better, more CPU is worse.
  expect(compared('stream.throughput')?.verdict).toBe('worse')
  expect(compared('cpu.perGib')).toMatchObject({ verdict: 'worse', difference: { unit: 's' } })
})

test('the bill tells calls of read and write apart', () => {
  const row = cellOf('connect', subject).bill.find(({ component }) => component === 'echo')!
  expect(row.readSyscalls?.value).toBeCloseTo(2000)
  expect(row.writeSyscalls?.value).toBeCloseTo(1000)
})

test('every format shows them, and the analysis keeps to its schema', () => {
  expect(analysisSchema.safeParse(JSON.parse(JSON.stringify(analysis))).error).toBeUndefined()
  const terminal = renderTerminal(analysis, { columns: 160, colour: false })
  expect(terminal).toMatch(/connect: 200 new connections\/s, at most 16 at once/)
  expect(terminal).toMatch(/first byte p50, ms .*handshakes/)
  expect(terminal).toMatch(/Gb\/s +CPU, s per GiB/)
  const narrow = renderTerminal(analysis, { columns: 60, colour: false }).split('\n')
  for (const line of narrow.slice(narrow.findIndex((text) => text.startsWith('connect:'))))
    expect(line.length).toBeLessThanOrEqual(60)
  const markdown = renderMarkdown(analysis)
  expect(markdown).toContain('| arm | Gb/s | CPU, s per GiB | added CPU, s per GiB |')
  const [header = '', ...rows] = renderCsv(analysis).trimEnd().split('\r\n')
  const column = header.split(',').indexOf('gigabits_per_second')
  expect(column).toBeGreaterThan(0)
  expect(
    rows.filter((row) => row.includes('transfers')).every((row) => Number(row.split(',')[column]) > 0),
  ).toBe(true)
  expect(renderOpenMetrics(analysis)).toMatch(
    /meshbench_first_byte_seconds\{.*percentile="50",bound="value"\}/,
  )
})
