import { describe, expect, test } from 'vitest'
import { analyze } from '../../../harness/analyze/analyze.js'
import type { JournalEntry } from '../../../harness/model.js'
import { syntheticJournal } from '../../../harness/testdata/synthetic-journal.js'
import { createFigureBook } from '../../page/figures.js'
import { buildAnswer } from '../../page/sections/answer.js'
import { createView } from '../../page/view.js'
import { generator } from './generator.js'

const journal = (...experiments: ('latency' | 'saturation' | 'capacity')[]) =>
  syntheticJournal({
    rounds: 3,
    experiments,
    arms: ['l4-only'],
    durationMs: 300,
    invalidShare: 0,
    failedShare: 0,
  })

const said = (entries: readonly JournalEntry[]) => {
  const view = createView(analyze(entries))
  const trust = buildAnswer(view, createFigureBook()).trust.find(({ name }) => name === 'Generator')
  return { ok: trust?.ok, brief: trust?.brief, title: generator(view, createFigureBook())?.title }
}

describe('the generator', () => {
  test('may use all that it can where it has no rate to keep', () => {
    expect(said(journal('latency', 'saturation'))).toMatchObject({
      ok: true,
      brief: 'generator had headroom',
    })
    expect(said(journal('saturation'))).toEqual({ ok: true, brief: 'no rate to keep', title: undefined })
  })

  test('is judged by a core for each worker of each generator, as validity does', () => {
    const shared = journal('latency').map((entry): JournalEntry => {
      if (entry.type !== 'trial' || !entry.load || !entry.usage) return entry
      const { windowMs, components } = entry.usage
      const busy = components.map((component) =>
        component.category === 'generator' ? { ...component, cpuNs: 1.5 * windowMs * 1e6 } : component,
      )
      return {
        ...entry,
        load: { ...entry.load, generators: 2 },
        usage: { ...entry.usage, components: busy },
      }
    })
    expect(analyze(shared).trials[0]?.generatorCpuShare).toBeCloseTo(0.75)
    expect(said(shared)).toMatchObject({
      ok: true,
      title: expect.stringContaining('stayed within') as string,
    })
  })
})

test('a knee is not put down to two generators that had CPU left', () => {
  const entries = journal('capacity').map((entry): JournalEntry => {
    if (entry.type !== 'trial' || !entry.load) return entry
    const generatorCpuUs = 1.5 * entry.load.windowMs * 1000
    return { ...entry, load: { ...entry.load, generators: 2, generatorCpuUs, ok: 0 } }
  })
  expect(analyze(entries).cells.map(({ knee }) => knee?.generatorLimited)).not.toContain(true)
})
