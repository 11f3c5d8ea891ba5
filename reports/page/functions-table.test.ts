import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import type { Variant } from '../../harness/model.js'
import { readJournal } from '../../harness/run/journal.js'
import { defined } from '../../harness/model/defined.js'
import { paths as allPaths } from '../../scenarios/paths/index.js'
import { sketchPath } from './drawings/path-sketch.js'
import { renderMarkdown } from '../formats/markdown.js'
import { createFigureBook } from './figures.js'
import { createView } from './view.js'
import { functionCostTable } from './sections/functions.js'

const kept = new URL('../../harness/testdata/journals/variants/journal.jsonl', import.meta.url)
const analysis = analyze(readJournal(fileURLToPath(kept)).entries)

const tableOf = (change: (variant: Variant) => Variant) => {
  const { config } = analysis
  const changed = { ...analysis, config: { ...config, variants: (config.variants ?? []).map(change) } }
  return functionCostTable(createView(changed), createFigureBook())
}

test('a function stands with the layer of its hops and where it runs', () => {
  const columns = ['function', 'layer', 'where', 'on top of']
  for (const [settings, layer, where = 'user space'] of [
    [{ proxy: { split: [] } }, 'L7'],
    [{ tunnel: { ports: [8080] } }, 'L4'],
    [{ transport: 'tls' }, 'L4'],
    [{ policy: true }, 'L3 and L4', 'kernel'],
  ] as const) {
    const table = tableOf((variant) => ({ ...variant, source: 'in words', settings, function: variant.name }))
    expect(table?.columns.slice(0, 4)).toEqual(columns)
    expect(table?.rows.length).toBeGreaterThan(0)
    for (const row of table?.rows ?? []) {
      expect(row).toHaveLength(table?.columns.length ?? 0)
      expect(row.slice(0, 3)).toEqual(['in words', layer, where])
    }
  }
})

test('a function that a mesh has at one place of a path stands with that place', () => {
  const arms = analysis.arms.map((arm) => ({ ...arm, place: 'the waypoint' }))
  const variants = (analysis.config.variants ?? []).map((variant) => ({ ...variant, function: variant.name }))
  const placed = { ...analysis, arms, config: { ...analysis.config, variants } }
  const table = functionCostTable(createView(placed), createFigureBook())
  expect(table?.rows.length).toBeGreaterThan(0)
  for (const row of table?.rows ?? []) expect(row[2]).toBe('user space: the waypoint')
})

test('an arm that does not encrypt what its path would is named and drawn so', () => {
  const arms = analysis.arms.map((arm) => ({ ...arm, path: arm.role === 'subject' ? 'l4-only' : arm.path }))
  const drawn = (transport?: 'plain' | 'tls') => {
    const paths = [...analysis.paths, allPaths['l4-only']]
    const view = createView({
      ...analysis,
      paths,
      arms: arms.map((arm) => ({ ...arm, ...defined({ transport }) })),
    })
    const [arm] = view.subjects
    return [arm?.label, sketchPath(arm?.path ?? allPaths['l4-only'], '').includes('sk-lock')]
  }
  expect(drawn()).toEqual([expect.not.stringMatching(/encrypted|TLS/), true])
  expect(drawn('plain')).toEqual([expect.stringContaining(', not encrypted'), false])
  expect(drawn('tls')).toEqual([expect.stringContaining(', one-way TLS'), true])
})

test('without functions there is no such table', () => {
  expect(tableOf((variant) => variant)).toBeUndefined()
})

test('Markdown has a price list, and leaves out of the arms what stands in it', () => {
  const variants = (analysis.config.variants ?? []).map((variant) => ({
    ...variant,
    source: `function of ${variant.name}`,
    function: variant.name,
  }))
  const text = renderMarkdown({ ...analysis, config: { ...analysis.config, variants } })
  const priced = analysis.arms.filter(({ control }) => control !== undefined)
  expect(priced.length).toBeGreaterThan(0)
  for (const { variant = '' } of priced) {
    expect(text).toMatch(
      new RegExp(`^\\| function of ${variant} \\| .* \\| [+−\\d].* \\| [+−\\d].* \\|$`, 'm'),
    )
    expect(text).not.toContain(`@${variant} |`)
  }
})
