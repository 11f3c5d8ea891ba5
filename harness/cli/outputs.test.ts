import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tellCi } from './ci.js'
import { UserError } from '../model/errors.js'
import { outputRequest, usualOutputs, writeFiles } from './outputs.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshbench-outputs-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function refusal(ask: () => unknown): string {
  try {
    ask()
  } catch (error) {
    if (error instanceof UserError) return `${error.message} → ${error.hint ?? ''}`
    throw error
  }
  return 'accepted'
}

describe('what to write', () => {
  it('is the page and the analysis unless something is asked for', () => {
    expect(outputRequest({})).toEqual(usualOutputs)
    expect(
      outputRequest({ format: ['csv', 'chart-png', 'csv'], chart: ['percentile-curve'], theme: 'dark' }),
    ).toEqual({
      formats: ['csv'],
      journalFormats: [],
      chartFormats: ['chart-png'],
      charts: ['percentile-curve'],
      theme: 'dark',
    })
  })

  it('is refused with what is allowed', () => {
    expect(refusal(() => outputRequest({ format: ['pdf'] }))).toMatch(
      /--format: "pdf" is unknown → allowed: html, json, .*chart-png/,
    )
    expect(refusal(() => outputRequest({ format: ['chart-svg'] }))).toMatch(
      /--format chart-svg needs --chart <name> → allowed: .*cpu-bill/,
    )
    expect(refusal(() => outputRequest({ chart: ['cpu-bill'] }))).toMatch(/needs a format of charts/)
    expect(refusal(() => outputRequest({ format: ['chart-svg'], chart: ['pie'] }))).toMatch(
      /--chart: "pie" is unknown → allowed: /,
    )
    expect(refusal(() => outputRequest({ theme: 'sepia' }))).toMatch(
      /"sepia" is unknown → allowed: light, dark/,
    )
  })
})

describe('a CI service', () => {
  const message = { summary: '## found', annotations: ['::error::worse'] }

  it('gets its summary appended and its annotations printed, where it asks for them', async () => {
    const file = join(folder, 'summary')
    const printed: string[] = []
    const print = (line: string) => printed.push(line)
    await tellCi(message, print, {})
    expect(printed).toEqual([])
    const environment = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: file }
    await tellCi(message, print, environment)
    await tellCi(message, print, { ...environment, GITHUB_ACTIONS: 'false' })
    expect(printed).toEqual(['::error::worse'])
    expect(readFileSync(file, 'utf8')).toBe('## found\n## found\n')
  })

  it('does not lose a result to a summary that cannot be written', async () => {
    const printed: string[] = []
    await tellCi(message, (line) => printed.push(line), { GITHUB_STEP_SUMMARY: join(folder, 'none/summary') })
    expect(printed.join()).toMatch(/could not write the job summary/)
  })
})

it('leaves the whole page of before where writing another one fails midway, as on a full disk', async () => {
  await writeFiles(folder, [{ name: 'report.html', contents: 'whole' }])
  function* cutOff() {
    yield 'half of'
    throw new Error('ENOSPC: no space left on device')
  }
  const contents = cutOff() as unknown as string
  await expect(writeFiles(folder, [{ name: 'report.html', contents }])).rejects.toThrow(
    /cannot write to .*report\.html: ENOSPC/,
  )
  expect(readFileSync(join(folder, 'report.html'), 'utf8')).toBe('whole')
  expect(readdirSync(folder)).toEqual(['report.html'])
})
