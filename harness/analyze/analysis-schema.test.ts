import { z } from 'zod'
import { describe, expect, it } from 'vitest'
import { analysisJsonSchema, analysisSchema } from '../model/analysis.js'
import { analyze } from './analyze.js'
import { syntheticJournal } from '../testdata/synthetic-journal.js'

const thresholds = [{ metric: 'errors.share', arm: 'reference/l4-only', max: 0 }] as const
const journal = syntheticJournal({
  rounds: 5,
  durationMs: 300,
  invalidShare: 0.1,
  failedShare: 0.1,
  thresholds,
})

const published = z.fromJSONSchema(analysisJsonSchema())

describe('analysis.json', () => {
  it.each([
    ['whole', journal],
    ['cut short', journal.slice(0, 12)],
    ['empty', journal.slice(0, 1)],
  ])('of a journal that is %s matches its schema', (_, entries) => {
    const document: unknown = JSON.parse(JSON.stringify(analyze(entries)))
    expect(analysisSchema.safeParse(document).error?.issues).toBeUndefined()
    expect(published.safeParse(document).error?.issues).toBeUndefined()
  })

  it('is refused when something is missing, unknown, or of another type', () => {
    const document = JSON.parse(JSON.stringify(analyze(journal.slice(0, 1)))) as Record<string, unknown>
    const { runId: _runId, ...missing } = document
    for (const bad of [missing, { ...document, more: 1 }, { ...document, warnings: [7] }])
      expect(published.safeParse(bad).success).toBe(false)
  })

  // After a change of the model: `vitest run harness/analyze/analysis-schema -u`.
  it('has its published schema up to date', async () => {
    const text = `${JSON.stringify(analysisJsonSchema(), null, 2)}\n`
    await expect(text).toMatchFileSnapshot('../../reports/analysis.schema.json')
  })
})
