/**
 * Odd journals, and what each may say in every output: written down by hand, not taken from the code under test, so that
 * none says more than its journal and all agree.
 */
import type { Standing } from '../analyze/standings.js'
import type { JournalEntry, Trial } from '../model.js'
import { syntheticJournal, type SyntheticOptions } from './synthetic-journal.js'

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
export const soundJournal = () => textOf(journal(whole, 'all'))
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

export const oddJournals: Readonly<Record<string, Expected>> = {
  whole: { ...measured, journal: soundJournal },
  'a byte order mark before it': { ...measured, journal: () => `\uFEFF${soundJournal()}` },
  'empty lines at its end': { ...measured, journal: () => `${soundJournal()}\n\n` },
  'its last line half written': {
    ...measured,
    journal: () => soundJournal().replace(/\n[^\n]*\n$/, '\n{"type":"en'),
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
    says: /5\.06 % of the requests of L4 only failed: each counts as one that took the time-out of 5\.00 s/,
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
export const damagedJournals: Readonly<Record<string, { readonly journal: () => string; readonly named: RegExp }>> = {
  'a trial that is there twice': {
    journal: () => soundJournal().replace(trialLine(soundJournal()), `${trialLine(soundJournal())}\n${trialLine(soundJournal())}`),
    named: /line 4 is the same trial as line 3/,
  },
  'a trial of another plan': {
    journal: () => soundJournal().replace(/("type":"trial".*?"cell":")/, '$1foreign|'),
    named: /line \d+: cell: "foreign\|.* is not in the run's plan/,
  },
  'a later version': { journal: () => soundJournal().replace('"schema":1', '"schema":9'), named: /schema/ },
  'no header': { journal: () => `${trialLine(soundJournal())}\n`, named: /header/ },
}
