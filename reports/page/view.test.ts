/** What sections and charts ask of a run. */
import { expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { renderTerminal } from '../formats/terminal.js'
import { createView } from './view.js'

it('two loads that differ in what is done to hops alone are told apart', () => {
  const analysis = analyze(syntheticJournal({ experiments: ['latency', 'pauses'], rounds: 3 }))
  const texts = createView(analysis).loads.map(({ experiment, text }) => `${experiment}: ${text}`)
  expect(texts.length).toBeGreaterThan(3)
  expect(new Set(texts).size).toBe(texts.length)
  expect(texts.join()).toMatch(/pauses: no pauses, 400 requests\/s/)
  const first = renderTerminal(analysis, { columns: 120, colour: false }).split('\n')[0]
  expect(first).toMatch(/^at [\d ]+ requests\/s, 16 connections/)
})

it('what passes under many loads is one line of the terminal, what does not is one each', () => {
  const threshold = { metric: 'errors.share', arm: 'reference/l4-l7-l4', max: 0 }
  const options = { experiments: ['latency', 'pauses'] as const, rounds: 3, invalidShare: 0, failedShare: 0 }
  const linesOf = (max: number) => {
    const analysis = analyze(syntheticJournal({ ...options, thresholds: [{ ...threshold, max }] }))
    const judged = analysis.thresholds.length
    const lines = renderTerminal(analysis, { columns: 200, colour: false }).split('\n')
    return { judged, lines: lines.filter((line) => /^(pass|fail) {2}/.test(line)) }
  }
  const passed = linesOf(0)
  expect(passed.lines).toEqual([
    `pass  errors.share of reference/l4-l7-l4 is at most 0 % under each of ${passed.judged} loads.`,
  ])
  const failed = linesOf(-1)
  expect(failed.lines).toHaveLength(failed.judged)
  expect(failed.judged).toBeGreaterThan(1)
})
