/** README's ratios are quoted from what the benches printed. */
import { readFileSync, readdirSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8')

it('each ratio in README was printed', () => {
  const [, section = ''] = /## What was measured\n(.*?)\n## /s.exec(read('README.md')) ?? []
  const quoted = section.match(/\d+\.\d+ \(\d+\.\d+–\d+\.\d+\)/g) ?? []
  const files = readdirSync(new URL('printed', import.meta.url))
  const printed = files.map((file) => read(`printed/${file}`)).join('\n')
  expect(quoted.length).toBe(42)
  expect(quoted.filter((ratio) => !printed.includes(ratio))).toEqual([])
})
