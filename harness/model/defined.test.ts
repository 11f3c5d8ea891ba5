import { expect, it } from 'vitest'
import { defined } from './defined.js'

it('leaves out what is undefined, and nothing else', () => {
  const maybe: string | undefined = undefined
  const fields: { a: number; b?: string; c: null } = defined({
    a: 0,
    b: maybe as string | undefined,
    c: null,
  })
  expect(Object.keys(fields)).toEqual(['a', 'c'])
})
