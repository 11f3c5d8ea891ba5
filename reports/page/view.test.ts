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
