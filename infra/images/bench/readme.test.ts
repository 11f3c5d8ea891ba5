/** README's table of ratios quotes what the bench printed. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8')

it('each ratio in README was printed', () => {
  const [, section = ''] = /## What was measured\n(.*?)\n## /s.exec(read('README.md')) ?? []
  const quoted = section.match(/\d+\.\d+ \(\d+\.\d+–\d+\.\d+\)/g) ?? []
  const printed = read('printed/dataplane.txt')
  expect(quoted.length).toBe(28)
  expect(quoted.filter((ratio) => !printed.includes(ratio))).toEqual([])
})
