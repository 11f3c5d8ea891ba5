/** Which rounds are paired where a run was cut and resumed, and what is a sample where processes live through many rounds. */
import { describe, expect, it } from 'vitest'
import type { JournalEntry } from '../../model.js'
import { cameUpBefore, comparisonOf, smallJournal } from '../../testing/analysis.js'
import { analyze } from '../analyze.js'

const arm = 'reference/l4-only'
const baseline = 'none/baseline'

/** Cut in the fourth of eight rounds, between an arm and its baseline. */
function cutJournal(): JournalEntry[] {
  const cutRound = 3
  const entries = smallJournal({ rounds: 8, arms: ['l4-only'], ratesPerSecond: [500] })
  const inRound = entries.flatMap((entry) =>
    entry.type === 'trial' && entry.round === cutRound ? [entry] : [],
  )
  const isOf = (id: string) => (cell: string) => cell.includes(`|${id}|`)
  const [first, second] = [baseline, arm].map((id) => inRound.findIndex(({ cell }) => isOf(id)(cell)))
  const later = inRound[Math.max(first ?? 0, second ?? 0)]
  return cameUpBefore(entries, (trial) => trial === later)
}

describe('a round that an interrupt cut', () => {
  const cut = analyze(cutJournal())
  const whole = analyze(smallJournal({ rounds: 8, arms: ['l4-only'], ratesPerSecond: [500] }))

  it('is no pair, and its trials are kept', () => {
    expect(comparisonOf(whole, 'latency.response', arm, baseline, 50).difference.n).toBe(8)
    expect(comparisonOf(cut, 'latency.response', arm, baseline, 50).difference.n).toBe(7)
    expect(cut.increments[0]?.latencyP50.n).toBe(7)
    expect(cut.cells.map(({ trials }) => trials.ok)).toEqual(whole.cells.map(({ trials }) => trials.ok))
    expect(cut.cells.find((cell) => cell.arm === arm)?.response?.['50']?.n).toBe(8)
  })

  it('is named, with what that means', () => {
    const told = ({ warnings }: typeof cut) => warnings.filter((text) => text.startsWith('Round'))
    expect(told(cut)).toEqual([
      expect.stringMatching(
        /^Round 4 was cut when the run was resumed \(latency, .*\): .* not paired with each other/,
      ),
    ])
    expect(told(whole)).toEqual([])
  })

  it('is paired where it was cut between rounds', () => {
    const between = cameUpBefore(
      smallJournal({ rounds: 8, arms: ['l4-only'], ratesPerSecond: [500] }),
      (trial, before) => before !== undefined && trial.round === 4 && before.round === 3,
    )
    const analysis = analyze(between)
    expect(comparisonOf(analysis, 'latency.response', arm, baseline, 50).difference.n).toBe(8)
    expect(analysis.warnings.filter((text) => text.startsWith('Round'))).toEqual([])
  })
})
