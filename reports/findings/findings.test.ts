/** Every figure of the page of findings was printed by the command that stands beside it: nothing there is typed from memory. */
import { readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'

const here = new URL('./', import.meta.url)
const printed = new URL('./printed/', import.meta.url)
const read = (name: string, from: URL) => readFileSync(new URL(name, from), 'utf8')

/** Figures with their interval, as `−1 234 (−2 to 3.4)`, without thin spaces, signs of plus and escapes of Markdown. */
function figuresOf(text: string): readonly string[] {
  const plain = text
    .replace(/[\\+]/g, '')
    .replace(/(\d)[\u202f\u00a0 ](?=\d{3}\b)/g, '$1')
    .replaceAll(' per 1000 requests', '')
  const number = '−?\\d+(?:\\.\\d+)?'
  return [
    ...plain.matchAll(new RegExp(`(${number})[^\\d()|]{0,8}\\((${number}) to (${number})\\)`, 'g')),
  ].map(([, value = '', low = '', high = '']) => `${value} (${low} to ${high})`)
}

test('each figure of the findings is one that was printed', () => {
  const known = new Set(readdirSync(printed).flatMap((name) => figuresOf(read(name, printed))))
  const told = figuresOf(read('README.md', here))
  expect(told.length).toBeGreaterThan(50)
  expect(told.filter((figure) => !known.has(figure))).toEqual([])
})
