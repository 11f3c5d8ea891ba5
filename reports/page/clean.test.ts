import { readFileSync } from 'node:fs'
import { runInThisContext } from 'node:vm'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Analysis } from '../../harness/model.js'
import { cleanDeep, cleanText, embedJson, escapeHtml } from './clean.js'
import { csvColumns } from '../formats/csv.js'
import { compressAnalysis } from './embed.js'
import { attacks, hostileAnalysis } from '../testdata/hostile.js'

/** The page script's own, which gives readers the analysis back. */
const pageScript = readFileSync(new URL('templates/report.js', import.meta.url), 'utf8')
const unpack = runInThisContext(`(${/const unpack = ([^]*?\n {2}\})\n/.exec(pageScript)?.[1] ?? ''})`) as (
  inflated: unknown,
) => { readonly analysis: Analysis; readonly csv: unknown }

describe('text from the journal', () => {
  it('shows what would be invisible or would reorder its surroundings', () => {
    expect(cleanText('a\u202Eb\u0000c\u2066')).toBe('a⟨U+202E⟩b⟨U+0000⟩c⟨U+2066⟩')
    expect(cleanText('tail \ud800')).toBe('tail ⟨U+D800⟩')
    expect(cleanText('fine 😀 text\twith tab')).toBe('fine 😀 text\twith tab')
  })
  it('is shortened so that two long names stay two', () => {
    const [first, second] = [cleanText('x'.repeat(10_240)), cleanText(`${'x'.repeat(10_240)}y`)]
    expect(first.length).toBeLessThan(1100)
    expect(first).not.toBe(second)
  })
  it('keeps references: keys and values are cleaned alike', () => {
    const clean = cleanDeep({ names: ['a\u0000b'], byName: { 'a\u0000b': 1 } })
    expect(Object.keys(clean.byName)).toEqual(clean.names)
  })
  it('is escaped for elements and attributes', () => {
    expect(escapeHtml(`<a b="c" d='e'>&\``)).not.toMatch(/[<>"'`]/)
  })
})

describe('embedded JSON', () => {
  it('can end no script element and break no line', () => {
    const text = embedJson(attacks)
    expect(text).not.toMatch(/[<\u2028\u2029]/)
    expect(JSON.parse(text)).toEqual(attacks)
  })
  it('gives back the analysis that went in', async () => {
    const analysis = JSON.parse(JSON.stringify(hostileAnalysis())) as Analysis
    for (const { throughput } of analysis.cells) Object.assign(throughput, { beyond: 'above' })
    const rounded = (part: unknown, digits: number): unknown =>
      JSON.parse(JSON.stringify(part), (_, value: unknown) =>
        typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(digits)) : value,
      )
    const { trials, ...rest } = analysis
    const inflated: unknown = JSON.parse(
      gunzipSync(Buffer.from(await compressAnalysis(analysis), 'base64')).toString(),
    )
    const { analysis: back, csv } = unpack(inflated)
    const { trials: trialsBack, ...restBack } = back
    expect(csv).toEqual(csvColumns)
    expect(restBack).toEqual(rounded(rest, 10))
    expect(trialsBack).toEqual(rounded(trials, 6))
  })
})
