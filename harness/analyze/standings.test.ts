/** Odd journals against every output: what each may say was written down by hand, not taken from the code under test. */
import { describe, expect, it } from 'vitest'
import { renderJunit } from '../../reports/formats/junit.js'
import { runAnnotations } from '../../reports/formats/annotations.js'
import { renderMarkdown } from '../../reports/formats/markdown.js'
import { syntheticJournal, type SyntheticOptions } from '../testdata/synthetic-journal.js'
import type { JournalEntry, Trial } from '../model.js'
import { analyze } from './analyze.js'
import { gate } from './gate.js'
import { standingsOf, type Standing } from './standings.js'

const arm = 'reference/l4-only'
const thresholds = [{ metric: 'errors.share', arm, max: 0 }] as const
const small: SyntheticOptions = {
  rounds: 3,
  arms: ['l4-only'],
  experiments: ['latency'],
  durationMs: 300,
  invalidShare: 0,
  failedShare: 0,
  thresholds,
}

type Change = (trial: Trial, nth: number) => Trial
const invalid: Change = (trial) => ({ ...trial, state: 'invalid', reasons: ['others used 60 % of the host'] })
const dead: Change = ({ load: _, ...trial }) => ({
  ...trial,
  state: 'failed',
  reasons: [],
  error: { kind: 'hop-died', message: 'tunnel exited with code 1' },
})
const whole: Change = (trial) => trial

/** Trials of the arm alone, or of all, changed. */
function journal(change: Change, whose: 'arm' | 'all', options: SyntheticOptions = {}): JournalEntry[] {
  let nth = 0
  return syntheticJournal({ ...small, ...options }).map((entry) =>
    entry.type === 'trial' && (whose === 'all' || entry.cell.includes(`|${arm}|`))
      ? change(entry, nth++)
      : entry,
  )
}

const table: readonly {
  readonly name: string
  readonly entries: JournalEntry[]
  readonly standing: Standing
  readonly threshold: 'pass' | 'fail' | 'no data'
  readonly gate: 'pass' | 'fail'
  readonly errors: number
}[] = [
  {
    name: 'whole',
    entries: journal(whole, 'all'),
    standing: 'measured',
    threshold: 'pass',
    gate: 'pass',
    errors: 0,
  },
  {
    name: 'no valid trial',
    entries: journal(invalid, 'all'),
    standing: 'no valid trials',
    threshold: 'no data',
    gate: 'fail',
    errors: 2,
  },
  {
    name: 'no valid trial of the arm',
    entries: journal(invalid, 'arm'),
    standing: 'no valid trials',
    threshold: 'no data',
    gate: 'fail',
    errors: 2,
  },
  {
    name: 'hop dead in all trials but the first',
    entries: journal((trial, nth) => (nth === 0 ? trial : dead(trial, nth)), 'arm'),
    standing: 'measured',
    threshold: 'fail',
    gate: 'fail',
    errors: 0,
  },
  {
    name: 'hop dead in every trial',
    entries: journal(dead, 'arm'),
    standing: 'no valid trials',
    threshold: 'fail',
    gate: 'fail',
    errors: 1,
  },
  {
    name: 'never came up',
    entries: syntheticJournal({ ...small, armFailures: { [arm]: 'the image is missing' } }),
    standing: 'never came up',
    threshold: 'fail',
    gate: 'fail',
    errors: 1,
  },
  {
    name: 'killed before the first trial',
    entries: syntheticJournal(small).filter(({ type }) => type !== 'trial' && type !== 'end'),
    standing: 'not reached',
    threshold: 'no data',
    gate: 'fail',
    errors: 2,
  },
]

describe.each(table)('a journal: $name', ({ entries, standing, threshold, gate: outcome, errors }) => {
  const analysis = analyze(entries)

  it('says no more than it holds, in every output alike', () => {
    expect(standingsOf(analysis).map(({ state }) => state)).toEqual([standing])
    expect(analysis.thresholds.map(({ state }) => state)).toEqual([threshold])
    expect(gate(analysis).outcome).toBe(outcome)
    expect(renderJunit(analysis)).toContain(`errors="${errors}" time`)
    const annotations = runAnnotations(analysis)
    expect(annotations.length > 0).toBe(outcome === 'fail')
    expect(annotations.every((line) => line.startsWith('::error'))).toBe(true)
    const markdown = renderMarkdown(analysis)
    expect(/\*\*pass/i.test(markdown)).toBe(threshold === 'pass')
    if (standing !== 'measured')
      expect(markdown).toMatch(/did not come up|has no valid trial|was not reached/)
  })
})
