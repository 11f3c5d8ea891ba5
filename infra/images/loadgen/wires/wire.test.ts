import { expect, it } from 'vitest'
import { cannotConnect } from './wire.js'

it.each([
  ['EMFILE', 'may not open more files; raise `ulimit -n`'],
  ['EADDRNOTAVAIL', 'no local port is left'],
  ['ENOTFOUND', 'no host of this name'],
  ['ECONNREFUSED', 'nothing listens there'],
])('a connection that cannot be opened for %s names it and says what it means', (code, meaning) => {
  const text = cannotConnect({ host: '127.0.0.1', port: 1 }, code)
  expect(text).toMatch(/^cannot connect to 127.0.0.1:1: /)
  expect(text).toContain(code)
  expect(text).toContain(meaning)
})
