import { describe, expect, test } from 'vitest'
import type { Analysis } from '../../harness/model.js'
import { platformTable, tableObjections } from './platform-table.js'
import { twoEnvironments } from '../testdata/two-environments.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'

const on = (platform: string, changes: Partial<Analysis> = {}): Analysis => {
  const analysis = sampleAnalysis()
  return { ...analysis, config: { ...analysis.config, platform }, ...changes }
}

describe('a table of platforms', () => {
  test('has a row for the baseline, for each path and for the noise floor, and two columns for each platform', () => {
    const table = platformTable([on('local'), on('docker'), on('kind')])
    const rows = table.split('\n').filter((line) => line.startsWith('| '))
    expect(rows[0]).toContain('kind: CPU')
    expect(rows.slice(2).map((row) => row.split(' | ')[0])).toHaveLength(1 + 4 + 1)
    for (const row of rows) expect(row.split(' | ')).toHaveLength(1 + 2 * 3)
    expect(table).not.toContain('NaN')
  })

  test('shows the figures of the analyses, and what the platform itself takes', () => {
    const local = on('local')
    const load = local.cells.find(({ experiment }) => experiment === 'latency')?.loadLabel
    const baseline = local.arms.find(({ role }) => role === 'baseline')?.id
    const isBase = (cell: Analysis['cells'][number]) => cell.arm === baseline && cell.loadLabel === load
    const cells = local.cells.map((cell) => {
      const [row] = cell.bill
      if (!isBase(cell) || !row) return cell
      const kubelet = { ...row, component: 'kubernetes/x node', category: 'platform' as const }
      return { ...cell, bill: [...cell.bill, { ...kubelet, cpu: { ...row.cpu, value: 777 } }] }
    })
    const table = platformTable([local, on('kind', { cells })])
    expect(table).toContain('777 ms in what runs the components')
    expect(table).toMatch(/- kind itself, against local: \+0\.00 ms/)
  })

  test('takes no figure of another experiment that has the same load', () => {
    const local = on('local')
    const again = local.comparisons.map((comparison) => ({
      ...comparison,
      experiment: 'sweep',
      difference: { ...comparison.difference, value: 9, low: 8, high: 10 },
    }))
    const both = { ...local, comparisons: [...local.comparisons, ...again] }
    expect(platformTable([both, on('kind')])).toBe(platformTable([local, on('kind')]))
  })

  test('has a row for each arm of several meshes, and a baseline and a floor for each environment', () => {
    const kind = twoEnvironments()
    const local = sampleAnalysis({ meshes: ['istio-ambient', 'cilium'], rates: [1000] })
    const rows = platformTable([local, kind])
      .split('\n')
      .filter((line) => line.startsWith('| '))
    expect(rows.map((line) => line.split(' | ')[0]).slice(2)).toEqual(
      expect.arrayContaining(['| `cilium/l4-only` adds', '| `istio-ambient/l4-only` adds']),
    )
    const floors = rows.filter((line) => line.startsWith('| A/A'))
    expect(floors.map((line) => [line.split(' | ')[0], line.includes('7.8 ')])).toEqual([
      ['| A/A difference of `istio-ambient`', false],
      ['| A/A difference of `cilium`', true],
    ])
    expect(rows.filter((line) => line.startsWith('| `baseline` of'))).toHaveLength(2)
    // One environment for both meshes, one baseline and one floor.
    expect(platformTable([local, local]).match(/^\| (`baseline`|A\/A)/gm)).toHaveLength(2)
  })

  test('is refused for another host, another build and another load', () => {
    const local = on('local')
    expect(tableObjections([local, on('docker')])).toEqual([])
    expect(tableObjections([local])).toEqual(['name at least two runs'])
    const elsewhere = on('kind', { host: { ...local.host, hostKey: 'other', bundles: { proxy: 'other' } } })
    expect(tableObjections([local, elsewhere]).join()).toMatch(/different hosts.*different builds/)
    expect(tableObjections([local, on('kind', { cells: [] })])).toEqual(['local and kind share no load'])
  })
})
