import { describe, expect, test } from 'vitest'
import type { Analysis } from '../harness/model.js'
import { platformTable, tableObjections } from './platform-table.js'
import { sampleAnalysis } from './testdata/sample-analysis.js'

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

  test('is refused for another host, another build and another load', () => {
    const local = on('local')
    expect(tableObjections([local, on('docker')])).toEqual([])
    expect(tableObjections([local])).toEqual(['name at least two runs'])
    const elsewhere = on('kind', { host: { ...local.host, hostKey: 'other', bundles: { proxy: 'other' } } })
    expect(tableObjections([local, elsewhere]).join()).toMatch(/different hosts.*different builds/)
    expect(tableObjections([local, on('kind', { cells: [] })])).toEqual(['local and kind share no load'])
  })
})
