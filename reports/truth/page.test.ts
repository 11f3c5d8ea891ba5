import { expect, it } from 'vitest'
import {
  disagreements,
  truthTableSchema,
  type TruthCell,
  type TruthTable,
} from '../../harness/model/truth.js'
import { readAssets } from '../testdata/assets.js'
import { truthMarkdown } from './markdown.js'
import { truthHtml } from './page.js'

const right: TruthCell = { verdict: 'right', text: '215 µs ±4 µs (210 µs)', value: 215, error: 4, truth: 210 }
const off: TruthCell = { verdict: 'off', text: '2.90 ms <b>', value: 2900, error: 100, truth: 90_000 }

function tableOf(own: Partial<Record<'open-loop' | 'hey', TruthCell>> = {}): TruthTable {
  return {
    ...{ schema: 2, kind: 'truth', meshbench: '1.0.0', started: '2026-01-01T00:00:00.000Z', seconds: 300 },
    host: { cpus: 2, model: 'A CPU', kernel: '6.1', node: 'v20', busyCores: 0.5, wakeUpLateP99Us: 90 },
    tools: ['open-loop', 'hey'].map((name) => ({
      ...{ name, version: '1.0', asks: 'a rate', notes: [`${name}: known to be slow`] },
    })),
    absent: ['wrk2'],
    questions: [{ id: 'freeze', title: 'a freeze: p99', unit: 'µs', rule: 'within 5 %' }],
    cells: { 'open-loop': { freeze: own['open-loop'] ?? right }, hey: { freeze: own.hey ?? off } },
    standings: [
      { engine: 'open-loop', question: 'freeze', place: 'behind', other: 'wrk2', by: 12, why: 'it is Node' },
    ],
  }
}

it('page and Markdown say who is right, by how much the others are off, and what was absent', () => {
  const html = truthHtml(tableOf(), readAssets())
  const markdown = truthMarkdown(tableOf())
  for (const text of [html, markdown]) {
    expect(text).toContain('open-loop is right in 1 of 1 questions; the next, hey, in 0.')
    expect(text).toContain('✓ 215 µs ±4 µs (210 µs)')
    expect(text).toContain('wrk2')
    expect(text).toContain('hey: known to be slow')
    expect(text).toContain('in 0 of 1 answers; where another is closer, the reason stands beside it.')
    expect(text).toContain('open-loop: behind wrk2 by 12 µs: it is Node')
    expect(text).toContain('The host was not idle')
    expect(text).toContain('within 5 %')
  }
  expect(html).toContain('✗ 2.90 ms &#60;b&#62;')
  expect(html).toContain('id="truth-table"')
  expect(truthTableSchema.parse(JSON.parse(JSON.stringify(tableOf())))).toEqual(tableOf())
})

it('two tables agree where verdicts are the same and values lie within both errors', () => {
  const other = (value: number) => tableOf({ 'open-loop': { ...right, value } })
  expect(disagreements(tableOf(), other(222))).toEqual({ agreeing: 2, apart: [] })
  expect(disagreements(tableOf(), other(224)).apart).toHaveLength(1)
  // What was true is measured anew by each pass: what agrees is how far a tool is off.
  const moved = tableOf({ 'open-loop': { ...right, value: 235, truth: 230 } })
  expect(disagreements(tableOf(), moved).apart).toEqual([])
  expect(disagreements(tableOf(), tableOf({ hey: right })).apart[0]).toMatch(/^hey, freeze: off .*, right/)
  const open: TruthCell = { ...right, verdict: 'undecided' }
  expect(disagreements(tableOf(), tableOf({ 'open-loop': open })).apart).toEqual([])
  expect(disagreements(tableOf(), tableOf({ hey: open })).apart).toHaveLength(1)
})
