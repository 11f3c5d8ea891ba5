/**
 * Odd journals through every verb and format that judges: what each may say was written down by hand, not taken from the
 * code under test, so that none says more than its journal and all agree.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { renderTerminal } from '../../reports/formats/terminal.js'
import { analyze } from '../analyze/analyze.js'
import { standingsOf, type Standing } from '../analyze/standings.js'
import { UserError } from '../model/errors.js'
import type { JournalEntry, Trial } from '../model.js'
import { readJournal } from '../run/journal.js'
import { syntheticJournal, type SyntheticOptions } from '../testdata/synthetic-journal.js'
import { compareCommand } from './commands/compare.js'
import { gateCommand } from './commands/gate.js'
import { reportCommand } from './commands/report.js'
import { endingOf } from './ending.js'

const arm = 'reference/l4-only'
const thresholds = [
  { metric: 'errors.share', arm, max: 0 },
  { metric: 'cpu.per1000Requests', arm, relativeTo: 'none/baseline', max: 9 },
] as const
const small: SyntheticOptions = {
  rounds: 6,
  arms: ['l4-only'],
  experiments: ['latency'],
  durationMs: 300,
  invalidShare: 0,
  failedShare: 0,
  thresholds,
}

type Change = (trial: Trial, nth: number) => Trial
const whole: Change = (trial) => trial
const invalid: Change = (trial) => ({ ...trial, state: 'invalid', reasons: ['others used 60 % of the host'] })
const dead: Change = ({ load: _, ...trial }) => ({
  ...trial,
  state: 'failed',
  reasons: [],
  error: { kind: 'hop-died', message: 'tunnel exited with code 1' },
})
/** So many of a trial's requests were sent beside those that were answered, and waited for in vain. */
const timedOut =
  (share: number): Change =>
  (trial) => {
    if (!trial.load) return trial
    const { response, service, ...load } = trial.load
    if (share === 1) return { ...trial, load: { ...load, ok: 0, errors: { timeout: load.sent } } }
    const sent = Math.round(load.ok / (1 - share))
    return {
      ...trial,
      load: { ...load, response, service, sent, errors: { timeout: sent - load.ok } },
    } as Trial
  }

/** Trials of the arms that are named, or of all, changed. */
function journal(change: Change, whose: string, options: SyntheticOptions = {}): JournalEntry[] {
  let nth = 0
  return syntheticJournal({ ...small, ...options }).map((entry) =>
    entry.type === 'trial' && (whose === 'all' || entry.cell.includes(`|${whose}|`))
      ? change(entry, nth++)
      : entry,
  )
}

/** Every round has the figures of the first, as where all fall on one step of a clock. */
function frozen(options: SyntheticOptions): JournalEntry[] {
  const first = new Map<string, Trial>()
  return journal(
    (trial) => {
      const kept = first.get(trial.cell) ?? trial
      first.set(trial.cell, kept)
      return { ...trial, load: kept.load, usage: kept.usage } as Trial
    },
    'all',
    options,
  )
}

const lines = (entries: readonly JournalEntry[]) => entries.map((entry) => JSON.stringify(entry))
const textOf = (entries: readonly JournalEntry[]) => `${lines(entries).join('\n')}\n`
const sound = () => textOf(journal(whole, 'all'))
const trialLine = (text: string) => text.split('\n').find((line) => line.includes('"type":"trial"')) ?? ''
const withThresholds = (...given: NonNullable<SyntheticOptions['thresholds']>) => ({ thresholds: given })
const variants = [
  { name: 'old', source: 'as configured', settings: {}, builds: {} },
  { name: 'new', source: 'as configured', settings: {}, builds: {} },
]

type State = 'pass' | 'fail' | 'inconclusive' | 'no data'

interface Expected {
  readonly journal: () => string
  /** Of the arms that were asked for. */
  readonly standings: readonly Standing[]
  /** Of the thresholds, in their order. */
  readonly thresholds: readonly State[]
  /** Exit codes; a gate of nothing refuses. */
  readonly run: 0 | 1 | 4 | 130
  readonly gate: 0 | 1 | 'nothing to judge'
  readonly junit: { readonly errors: number; readonly failures: number; readonly skipped: number }
  /** Errors that a CI service shows beside the change. */
  readonly annotated: number
  /** Beside a run that is whole. */
  readonly compared: 'agree' | 'apart' | 'too few' | 'nothing in common'
  /** Valid trials of the first arm that was asked for, in all of its cells together. */
  readonly valid: number
  /** What OpenMetrics has of the first arm beside its baseline: verdicts, intervals without one, or nothing at all. */
  readonly exported: 'decided' | 'undecided' | 'nothing'
  readonly headline: RegExp
  /** What terminal and Markdown say alike. */
  readonly says?: RegExp
}

const measured: Pick<
  Expected,
  | 'standings'
  | 'thresholds'
  | 'run'
  | 'gate'
  | 'junit'
  | 'annotated'
  | 'compared'
  | 'valid'
  | 'exported'
  | 'headline'
> = {
  standings: ['measured'],
  thresholds: ['pass', 'pass'],
  run: 0,
  gate: 0,
  junit: { errors: 0, failures: 0, skipped: 0 },
  annotated: 0,
  compared: 'agree',
  valid: 6,
  exported: 'decided',
  headline: /^L4 only adds [\d. ]+ ms.* to a median request and [\d.]+ ms.* of CPU per 1 000 requests$/,
}
const unmeasured = {
  ...measured,
  gate: 1,
  run: 4,
  compared: 'nothing in common',
  valid: 0,
  exported: 'nothing',
  headline: /^This run has no comparison to report/,
} as const

const table: Readonly<Record<string, Expected>> = {
  whole: { ...measured, journal: sound },
  'a byte order mark before it': { ...measured, journal: () => `\uFEFF${sound()}` },
  'empty lines at its end': { ...measured, journal: () => `${sound()}\n\n` },
  'its last line half written': {
    ...measured,
    journal: () => sound().replace(/\n[^\n]*\n$/, '\n{"type":"en'),
  },
  'no valid trial': {
    ...unmeasured,
    journal: () => textOf(journal(invalid, 'all')),
    standings: ['no valid trials'],
    thresholds: ['no data', 'no data'],
    junit: { errors: 3, failures: 0, skipped: 0 },
    annotated: 3,
    says: /no valid trial.*others used 60 % of the host/s,
    headline: /^Nothing can be said: none of 18 trials is valid/,
  },
  'no valid trial of the arm': {
    ...unmeasured,
    journal: () => textOf(journal(invalid, arm)),
    standings: ['no valid trials'],
    thresholds: ['no data', 'no data'],
    junit: { errors: 3, failures: 0, skipped: 0 },
    annotated: 3,
    says: /no valid trial.*others used 60 % of the host/s,
  },
  'no valid trial of baseline and twin': {
    ...measured,
    journal: () => textOf(journal(invalid, 'all').map((entry) => restore(entry))),
    thresholds: ['pass', 'no data'],
    run: 1,
    gate: 1,
    junit: { errors: 1, failures: 0, skipped: 0 },
    annotated: 1,
    compared: 'nothing in common',
    exported: 'nothing',
    headline: /^This run has no comparison to report/,
  },
  'a hop dead in all trials but the first': {
    ...measured,
    journal: () => textOf(journal((trial, nth) => (nth === 0 ? trial : dead(trial, nth)), arm)),
    thresholds: ['fail', 'inconclusive'],
    run: 1,
    gate: 1,
    junit: { errors: 0, failures: 1, skipped: 1 },
    annotated: 1,
    compared: 'too few',
    valid: 1,
    exported: 'undecided',
  },
  'a hop dead in every trial': {
    ...unmeasured,
    journal: () => textOf(journal(dead, arm)),
    standings: ['no valid trials'],
    thresholds: ['fail', 'no data'],
    junit: { errors: 2, failures: 1, skipped: 0 },
    annotated: 3,
    says: /no valid trial.*tunnel exited with code 1/s,
  },
  'an arm that never came up': {
    ...unmeasured,
    journal: () => textOf(syntheticJournal({ ...small, armFailures: { [arm]: 'the image is missing' } })),
    standings: ['never came up'],
    thresholds: ['fail', 'no data'],
    junit: { errors: 2, failures: 1, skipped: 0 },
    annotated: 3,
    says: /did not come up.*the image is missing/s,
  },
  'killed before its first trial': {
    ...unmeasured,
    journal: () => textOf(syntheticJournal(small).filter(({ type }) => type !== 'trial' && type !== 'end')),
    standings: ['not reached'],
    thresholds: ['no data', 'no data'],
    junit: { errors: 3, failures: 0, skipped: 0 },
    annotated: 3,
    says: /was not reached/,
    headline: /^Nothing was measured: this run has no trial/,
  },
  'interrupted in its first round': {
    ...measured,
    journal: () => textOf(journal(whole, 'all', { rounds: 1, plannedRounds: 6, outcome: 'interrupted' })),
    thresholds: ['pass', 'inconclusive'],
    run: 130,
    junit: { errors: 0, failures: 0, skipped: 1 },
    compared: 'too few',
    says: /artial run/,
    valid: 1,
    exported: 'undecided',
  },
  'one round': {
    ...measured,
    journal: () => textOf(journal(whole, 'all', { rounds: 1 })),
    thresholds: ['pass', 'inconclusive'],
    junit: { errors: 0, failures: 0, skipped: 1 },
    compared: 'too few',
    says: /one round/,
    valid: 1,
    exported: 'undecided',
  },
  'two equal rounds': {
    ...measured,
    journal: () => textOf(frozen({ rounds: 2 })),
    thresholds: ['pass', 'inconclusive'],
    junit: { errors: 0, failures: 0, skipped: 1 },
    compared: 'too few',
    valid: 2,
    exported: 'undecided',
  },
  'six rounds without any spread': { ...measured, journal: () => textOf(frozen({ rounds: 6 })) },
  'all requests failed': {
    ...measured,
    journal: () => textOf(journal(timedOut(1), arm)),
    thresholds: ['fail', 'no data'],
    run: 1,
    gate: 1,
    junit: { errors: 1, failures: 1, skipped: 0 },
    annotated: 2,
    // What is left to compare is the memory of the hops.
    compared: 'agree',
    exported: 'undecided',
    headline: /^This run has no comparison to report/,
  },
  'more than half of the requests timed out': {
    ...measured,
    journal: () => textOf(journal(timedOut(0.6), arm)),
    thresholds: ['fail', 'pass'],
    run: 1,
    gate: 1,
    junit: { errors: 0, failures: 1, skipped: 0 },
    annotated: 1,
    compared: 'apart',
  },
  'a twentieth of the requests timed out': {
    ...measured,
    journal: () => textOf(journal(timedOut(0.05), arm)),
    thresholds: ['fail', 'pass'],
    run: 1,
    gate: 1,
    junit: { errors: 0, failures: 1, skipped: 0 },
    annotated: 1,
    compared: 'apart',
  },
  'a twin that differs from the baseline': {
    ...measured,
    journal: () =>
      textOf(journal(whole, 'all', { effect: { 'none/baseline-twin': { latency: 3, cpu: 2 } } })),
    says: /baseline differs from its twin/,
  },
  'variants alone, equal': {
    ...measured,
    journal: () => textOf(journal(whole, 'all', { ...withThresholds(), variants })),
    standings: ['measured', 'measured'],
    thresholds: [],
    // By p50 they are the same; six rounds do not tell a change of 5 % in CPU.
    junit: { errors: 0, failures: 0, skipped: 1 },
    compared: 'nothing in common',
    headline: /^Not decided: 1 of 2 checks of the variants does not tell; none is worse/,
  },
  'variants of which one is dearer': {
    ...measured,
    journal: () =>
      textOf(
        journal(whole, 'all', {
          ...withThresholds(),
          variants,
          rounds: 12,
          effect: { [`${arm}@new`]: { latency: 3, cpu: 3 } },
        }),
      ),
    standings: ['measured', 'measured'],
    thresholds: [],
    gate: 1,
    junit: { errors: 0, failures: 2, skipped: 0 },
    compared: 'nothing in common',
    valid: 12,
    headline: /@new is worse than .*@old/,
  },
  'nothing to judge by': {
    ...measured,
    journal: () => textOf(journal(whole, 'all', withThresholds())),
    thresholds: [],
    gate: 'nothing to judge',
  },
  'another experiment': {
    ...measured,
    journal: () => textOf(journal(whole, 'all', { experiments: ['saturation'] })),
    compared: 'nothing in common',
    // It takes three rounds, however many the others have.
    valid: 3,
    headline: /^Throughput against a direct connection\./,
  },
}

/** An arm's trials as they were before all were made invalid. */
function restore(entry: JournalEntry): JournalEntry {
  return entry.type === 'trial' && entry.cell.includes(`|${arm}|`)
    ? { ...entry, state: 'ok', reasons: [] }
    : entry
}

/** Those that are no journal of a run, and the line that is named. */
const damaged: Readonly<Record<string, { readonly journal: () => string; readonly named: RegExp }>> = {
  'a trial that is there twice': {
    journal: () => sound().replace(trialLine(sound()), `${trialLine(sound())}\n${trialLine(sound())}`),
    named: /line 4 is the same trial as line 3/,
  },
  'a trial of another plan': {
    journal: () => sound().replace(/("type":"trial".*?"cell":")/, '$1foreign|'),
    named: /line \d+: cell: "foreign\|.* is not in the run's plan/,
  },
  'a later version': { journal: () => sound().replace('"schema":1', '"schema":9'), named: /schema/ },
  'no header': { journal: () => `${trialLine(sound())}\n`, named: /header/ },
}

let folder: string
let printed: string[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshbench-odd-'))
  write('reference', sound())
})
afterAll(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})

function write(name: string, text: string): string {
  const run = join(folder, name.replace(/\W+/g, '-'))
  mkdirSync(run, { recursive: true })
  writeFileSync(join(run, 'journal.jsonl'), text)
  return run
}

/** What a verb prints, and its exit code: the one that it returns, or that of its refusal. */
async function call(verb: () => Promise<number>): Promise<{ readonly code: number; readonly text: string }> {
  printed = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(String(text))
    return true
  })
  try {
    const code = await verb()
    return { code, text: printed.join('') }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { code: error.exitCode, text: printed.join('') + error.message }
  } finally {
    spy.mockRestore()
  }
}

const plainText = (text: string) => text.replace(/\\([^\w\s])/g, '$1').replace(/\s+/g, ' ')
/** Of what was asked for: claims that a run has no data on are skipped, too. */
const counted = (xml: string, name: string) =>
  [...xml.matchAll(/<testsuite name="(\w+)"[^>]*>/g)]
    .filter(([, suite]) => suite !== 'claims')
    .reduce((sum, [tag]) => sum + Number(new RegExp(`${name}="(\\d+)"`).exec(tag)?.[1]), 0)

/** Samples of an OpenMetrics text, which must be whole and well formed. */
function samplesOf(text: string) {
  const lines = text.split('\n')
  expect(lines.slice(-2)).toEqual(['# EOF', ''])
  return lines.slice(0, -2).flatMap((line) => {
    if (/^# (TYPE|UNIT|HELP) /.test(line)) return []
    const [, name = '', labels = '', value] = /^(\w+)\{(.*)\} (-?[\d.e+-]+)$/.exec(line) ?? []
    expect(line).toMatch(/^meshbench_\w+\{/)
    const pairs = [...labels.matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)].map(([, key = '', text = '']) => [
      key,
      text,
    ])
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }]
  })
}

describe.each(Object.entries(table))('a journal: %s', (name, expected) => {
  it('says no more than it holds, in every output alike', { timeout: 180_000 }, async () => {
    const run = write(name, expected.journal())
    const analysis = analyze(readJournal(run).entries)
    expect(standingsOf(analysis).map(({ state }) => state)).toEqual(expected.standings)
    expect(analysis.thresholds.map(({ state }) => state)).toEqual(expected.thresholds)

    expect(endingOf(analysis).code).toBe(expected.run)

    vi.stubEnv('GITHUB_ACTIONS', 'true')
    vi.stubEnv('GITHUB_STEP_SUMMARY', join(run, 'step.md'))
    const formats = ['html', 'junit', 'markdown', 'openmetrics']
    const report = await call(() => reportCommand(run, { format: formats, json: false }))
    const gate = await call(() => gateCommand(run, {}))
    vi.unstubAllEnvs()
    expect(report.code).toBe(0)
    expect(report.text.match(/^::error /gm)?.length ?? 0).toBe(expected.annotated)

    const junit = readFileSync(join(run, 'junit.xml'), 'utf8')
    const { errors, failures, skipped } = expected.junit
    expect(['errors', 'failures', 'skipped'].map((name) => counted(junit, name))).toEqual([
      errors,
      failures,
      skipped,
    ])

    expect(gate.code).toBe(expected.gate === 'nothing to judge' ? 2 : expected.gate)
    if (expected.gate !== 0) expect(gate.text).not.toMatch(/passed/)

    const markdown = plainText(readFileSync(join(run, 'summary.md'), 'utf8'))
    const terminal = plainText(renderTerminal(analysis, { columns: 200, colour: false }))
    for (const text of [markdown, terminal])
      if (expected.says !== undefined) expect(text).toMatch(expected.says)
    for (const state of ['pass', 'fail', 'no data', 'inconclusive'] as const)
      expect(markdown.split(`**${state}**`).length - 1).toBe(
        expected.thresholds.filter((other) => other === state).length,
      )

    // One round has no spread, in no format.
    const rounds = Math.max(0, ...analysis.cells.map(({ trials }) => trials.ok))
    if (rounds <= 1) for (const text of [markdown, terminal]) expect(text).not.toMatch(/±/)

    const html = readFileSync(join(run, 'report.html'), 'utf8')
    const headline = /<h1[^>]*>(.*?)<\/h1>/s.exec(html)?.[1]?.replace(/<[^>]*>/g, '') ?? ''
    expect(headline).not.toBe('')
    const isComparable = expected.compared === 'agree' || expected.compared === 'apart'
    if (expected.standings.every((state) => state !== 'measured'))
      expect(headline).not.toMatch(/\d\s?ms|times/)
    if (!isComparable && rounds < 3) expect(headline).not.toMatch(/adds the least|cheapest|dearest/)

    expect(plainText(headline)).toMatch(expected.headline)
    if (expected.valid === 1) expect(headline).not.toMatch(/\([^)]* to /)

    const exported = samplesOf(readFileSync(join(run, 'metrics.txt'), 'utf8'))
    const first = analysis.arms.find(({ role }) => role === 'subject')?.id
    const named = (name: string) => exported.filter((sample) => sample.name === name)
    expect(named('meshbench_threshold_passed').map(({ labels, value }) => [labels.state, value])).toEqual(
      expected.thresholds.map((state) => [state, state === 'pass' ? 1 : 0]),
    )
    const valid = named('meshbench_trials').filter(
      ({ labels }) => labels.arm === first && labels.state === 'ok',
    )
    expect(valid.reduce((sum, { value }) => sum + value, 0)).toBe(expected.valid)
    const verdicts = named('meshbench_comparison_ratio')
      .filter(({ labels }) => labels.arm === first && labels.versus === 'none/baseline')
      .map(({ labels }) => labels.verdict)
    expect(
      verdicts.length === 0
        ? 'nothing'
        : verdicts.every((verdict) => verdict === 'inconclusive')
          ? 'undecided'
          : 'decided',
    ).toBe(expected.exported)
    if (rounds <= 1) expect(exported.filter(({ labels }) => labels.bound === 'low')).toEqual([])

    const out = join(run, 'compare.html')
    const compared = await call(() => compareCommand(join(folder, 'reference'), run, { force: true, out }))
    if (expected.compared === 'nothing in common') {
      expect([compared.code, compared.text]).toEqual([4, expect.stringMatching(/nothing to compare/)])
    } else {
      expect(compared.code).toBe(0)
      expect(/became worse/.test(compared.text)).toBe(expected.compared === 'apart')
      expect(/; (\d+) of \1 are not decided/.test(compared.text)).toBe(expected.compared === 'too few')
    }
  })
})

describe.each(Object.entries(damaged))('no journal of a run: %s', (name, { journal: make, named }) => {
  it('is refused by every verb with the line', async () => {
    const run = write(name, make())
    const verbs = [
      () => reportCommand(run, { format: ['junit'], json: false }),
      () => gateCommand(run, {}),
      () => compareCommand(join(folder, 'reference'), run, { force: true }),
    ]
    for (const verb of verbs) {
      const { code, text } = await call(verb)
      expect([code, text]).toEqual([2, expect.stringMatching(named)])
    }
  })
})
