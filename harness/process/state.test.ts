/** Runs that exclude each other, by the folders that they have while they live. */
import { rm } from 'node:fs/promises'
import { afterAll, expect, test, vi } from 'vitest'
import { createStateDir, lockingRuns, lockVariable } from './state.js'

vi.stubEnv(lockVariable, `state-test-${process.pid}`)
afterAll(() => vi.unstubAllEnvs())

test('of runs that begin at once, and have not found each other, all but one give way', async () => {
  const runs = ['a', 'b', 'c'].map((name) => `state-test-${process.pid}-${name}`)
  const folders = await Promise.all(runs.map(createStateDir))
  expect([...(await lockingRuns())].sort()).toEqual(runs)
  const before = await Promise.all(folders.map(async (folder) => [...(await lockingRuns(folder))].sort()))
  expect(before).toEqual([[], runs.slice(0, 1), runs.slice(0, 2)])
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true })))
})
