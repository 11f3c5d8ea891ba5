import { expect, it } from 'vitest'
import { defined } from './defined.js'

it('leaves out what is undefined, and nothing else', () => {
  const maybe = [] as string[]
  const fields: { a: number; b?: string; c: null } = defined({
    a: 0,
    b: maybe[0],
    c: null,
  })
  expect(Object.keys(fields)).toEqual(['a', 'c'])
})
