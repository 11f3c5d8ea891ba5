import { expect, test } from 'vitest'
import { childScope, openScope } from './scope.js'

const open = () => openScope({ runId: 'r', stateDir: '/nowhere', signal: new AbortController().signal })

test('what was done is undone, last first', async () => {
  const scope = open()
  const undone: string[] = []
  for (const name of ['a', 'b', 'c']) scope.defer(name, () => void undone.push(name))
  expect(await scope.close()).toEqual([])
  expect(undone).toEqual(['c', 'b', 'a'])
})

test('an undo that fails is reported and does not keep the others from being done', async () => {
  const scope = open()
  const undone: string[] = []
  scope.defer('a', () => void undone.push('a'))
  scope.defer('b', () => Promise.reject(new Error('stuck')))
  expect(await scope.close()).toEqual(['b: stuck'])
  expect(undone).toEqual(['a'])
})

test('a child that was closed is not undone again by its parent', async () => {
  const scope = open()
  let times = 0
  const child = childScope(scope, 'child')
  child.defer('once', () => void times++)
  await child.close()
  await scope.close()
  expect(times).toBe(1)
})
