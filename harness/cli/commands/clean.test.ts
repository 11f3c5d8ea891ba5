/** What cannot be removed keeps nothing else from being removed, and is told with its reason. */
import { expect, it } from 'vitest'
import { CommandError } from '../../model/errors.js'
import { removeLeftovers } from './clean.js'

it('removes what else is left, and says what is not gone and why', async () => {
  const removed: string[] = []
  const leftover = (title: string, remove: () => Promise<void>) => ({
    name: 'lab',
    leftovers: async () => [{ runId: 'no-such-run', title, remove }],
  })
  const end = { code: 1, signal: null, tail: 'error: timed out waiting for the condition' }
  const on = [
    leftover('2 namespaces of the context lab', () =>
      Promise.reject(new CommandError(['kubectl', 'delete', 'namespaces', 'mb-a'], end)),
    ),
    leftover('the cluster mb-x', async () => void removed.push('mb-x')),
  ]
  const told: string[] = []
  const tell = (line: string) => void told.push(line)
  await expect(removeLeftovers('no-such-run', { tell, on })).rejects.toThrow(
    /^could not be removed: 2 namespaces of the context lab of run no-such-run: kubectl exited .*timed out/,
  )
  expect(removed).toEqual(['mb-x'])
  expect(told).toEqual([
    'removing 2 namespaces of the context lab of run no-such-run',
    'removing the cluster mb-x of run no-such-run',
  ])
  expect(await removeLeftovers('no-such-run', { dryRun: true, tell, on })).toBe(2)
  expect(removed).toEqual(['mb-x'])
})

it('removes what is on other platforms where one cannot be looked at, and says which and why', async () => {
  const removed: string[] = []
  const remove = async () => void removed.push('mb-x')
  const on = [
    { name: 'docker', leftovers: () => Promise.reject(new Error('the engine answered 500')) },
    { name: 'kind', leftovers: async () => [{ runId: 'no-such-run', title: 'the cluster mb-x', remove }] },
  ]
  await expect(removeLeftovers('no-such-run', { tell: () => {}, on })).rejects.toThrow(
    'could not be removed: what there is on docker, which could not be looked at: the engine answered 500',
  )
  expect(removed).toEqual(['mb-x'])
})
