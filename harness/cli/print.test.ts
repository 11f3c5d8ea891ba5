import { expect, it } from 'vitest'
import { printable } from './print.js'

it('a terminal is sent no control characters, whoever wrote the journal', () => {
  expect(printable('arm \u001b]0;title\u0007\u001b[2J and \u009b31m\r')).toBe(
    'arm \\x1b]0;title\\x07\\x1b[2J and \\x9b31m\\x0d',
  )
})

it('words of any language, lines and tabs go as they are', () => {
  const text = 'Größe: 10 µs → 12 µs\n\t± 1 \u202f000 日本'
  expect(printable(text)).toBe(text)
})
