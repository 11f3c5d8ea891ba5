/** The JSON Schemas that other programs read a run by say what the model says. `vitest -u` writes them again. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { describe, expect, it } from 'vitest'
import { analyze } from '../analyze/analyze.js'
import { packageRoot } from '../process/package-root.js'
import { syntheticJournal } from '../testdata/synthetic-journal.js'
import { analysisSchema } from './analysis.js'
import { entrySchemas } from './journal.js'

const { run, ...others } = entrySchemas
const entrySchema = z.union([run, ...Object.values(others)])

/** As JSON Schema, draft 2020-12. */
function published(title: string, schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, {
    // Read-only is this code's promise to itself; whole numbers are bounded by what a document may say, not by it.
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return `${JSON.stringify({ title, ...json }, null, 2)}\n`
}

const schemas = {
  analysis: published('Meshbench analysis', analysisSchema),
  journal: published('One line of a Meshbench journal', entrySchema),
}
/** As another program reads it: from the published text alone. */
const reader = (schema: string) =>
  z.fromJSONSchema(JSON.parse(schema) as Parameters<typeof z.fromJSONSchema>[0])
const readers = { analysis: reader(schemas.analysis), journal: reader(schemas.journal) }

it.each(Object.entries(schemas))('reports/%s.schema.json is up to date', async (name, text) => {
  await expect(text).toMatchFileSnapshot(`../../reports/${name}.schema.json`)
})

const thresholds = [{ metric: 'errors.share', arm: 'reference/l4-only', max: 0 }] as const
const journal = syntheticJournal({
  rounds: 5,
  durationMs: 300,
  invalidShare: 0.1,
  failedShare: 0.1,
  thresholds,
})

describe('analysis.json', () => {
  it.each([
    ['whole', journal],
    ['cut short', journal.slice(0, 12)],
    ['empty', journal.slice(0, 1)],
    ['of blocks', syntheticJournal({ rounds: 4, durationMs: 200, roundsConfig: { blocks: 2 } })],
  ])('of a journal that is %s matches its schema', (_, entries) => {
    const document: unknown = JSON.parse(JSON.stringify(analyze(entries)))
    expect(analysisSchema.safeParse(document).error?.issues).toBeUndefined()
    expect(readers.analysis.safeParse(document).error?.issues).toBeUndefined()
  })

  it('is refused when something is missing, unknown, or of another type', () => {
    const document = JSON.parse(JSON.stringify(analyze(journal.slice(0, 1)))) as Record<string, unknown>
    const { runId: _runId, ...missing } = document
    for (const bad of [missing, { ...document, more: 1 }, { ...document, warnings: [7] }])
      expect(readers.analysis.safeParse(bad).success).toBe(false)
  })
})

describe('journal.jsonl', () => {
  const kept = join(packageRoot, 'harness/testdata/journals')
  const linesOf = (name: string) =>
    readFileSync(join(kept, name, 'journal.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)

  it.each(readdirSync(kept))('of the run %s matches its schema, line by line', (name) => {
    for (const entry of linesOf(name)) expect(readers.journal.safeParse(entry).error?.issues).toBeUndefined()
  })

  it('is refused where a trial has no state', () => {
    const trial = journal.find(({ type }) => type === 'trial')
    expect(readers.journal.safeParse({ ...trial, state: undefined }).success).toBe(false)
  })
})
