/** Journals that earlier versions wrote: they are read, rendered and compared as they were. */
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Analysis } from '../model.js'
import { createWorkspace } from '../testing/cli.js'
import { packageRoot } from '../process/package-root.js'

const workspace = createWorkspace()
afterAll(() => workspace.remove())

/** Medians of response time in ms and CPU in ms per 1 000 requests, as the version that wrote the journal told them. */
const journals = {
  'quick-local': {
    'none/baseline': [0.2855, 110.1],
    'reference/l4-only': [0.8385, 562.7],
    'reference/l4-l7-l4': [2.3095, 785.4],
  },
  variants: {
    'none/baseline': [0.282, 112.8],
    'reference/l4-only': [1.0265, 580.5],
    'reference/l4-only@cold': [1.0665, 699.9],
  },
  kind: {
    'reference/baseline': [0.536, 343.8],
    'reference/l4-only': [1.16475, 1167],
    'reference/l7-sidecar-to-sidecar': [1.305, 1354.1],
    'reference/l4-l7-l4': [1.6055, 1709.8],
  },
}

describe.each(Object.entries(journals))('the journal %s', (name, arms) => {
  const folder = workspace.path(name)
  cpSync(join(packageRoot, 'harness/testdata/journals', name), folder, { recursive: true })

  it('renders, with the figures that it had', async () => {
    const { code, stdout } = await workspace.meshbench('report', name, '--format', 'html,json')
    expect([code, stdout]).toEqual([0, expect.stringContaining('report.html')])
    const page = readFileSync(join(folder, 'report.html'), 'utf8')
    const { cells } = JSON.parse(readFileSync(join(folder, 'analysis.json'), 'utf8')) as Analysis
    for (const [arm, [medianMs = 0, cpu = 0]] of Object.entries(arms)) {
      expect(page).toContain(arm)
      const cell = cells.find((other) => other.arm === arm)
      expect(cell?.response?.['50']?.value).toBeCloseTo(medianMs, 3)
      expect(cell?.cpu?.value).toBeCloseTo(cpu, 0)
    }
  })

  it('compares with another', async () => {
    // The one of kind has another load than the others, and nothing in common with them.
    const other = name === 'kind' ? name : name === 'variants' ? 'quick-local' : 'variants'
    const { code, stdout } = await workspace.meshbench('compare', name, other, '--force')
    expect([code, stdout]).toEqual([0, expect.stringContaining('reference/l4-only')])
  })
})
