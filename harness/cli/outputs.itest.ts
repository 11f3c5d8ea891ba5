/** Files as a person finds them: every format and chart that was asked for, in a folder that is made. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { outputRequest, writeOutputs } from './outputs.js'
import { sampleAnalysis } from '../../reports/testdata/sample-analysis.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshbench-outputs-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('what was asked for is written beside each other, in a folder that is made', async () => {
  const request = outputRequest({
    format: ['markdown', 'junit', 'chart-svg'],
    chart: ['cpu-bill', 'memory'],
  })
  const out = join(folder, 'new')
  const analysis = sampleAnalysis({ rounds: 3, rates: [1000] })
  expect(await writeOutputs(analysis, out, request)).toEqual(
    ['summary.md', 'junit.xml', 'cpu-bill.svg', 'memory.svg'].map((name) => join(out, name)),
  )
  expect(readFileSync(join(out, 'cpu-bill.svg'), 'utf8')).toMatch(/^<svg /)
  const empty = { ...analysis, cells: [], comparisons: [], increments: [] }
  await expect(writeOutputs(empty, out, request)).rejects.toThrow('no data for the chart cpu-bill')
})
