import type Docker from 'dockerode'
import { expect, it } from 'vitest'
import { startAgain } from './container.js'

it('takes what a container says after its last end, by the engine’s clock, for its new life’s', async () => {
  // An engine on another machine, whose clock is not this one's.
  const said = [
    { at: Date.parse('2020-01-01T00:00:00.100Z'), line: 'ready, the first time' },
    { at: Date.parse('2020-01-01T00:00:00.900Z'), line: 'ready again' },
  ]
  let isStarted = false
  let looks = 0
  const container = {
    inspect: async () => ({ State: { FinishedAt: '2020-01-01T00:00:00.5Z' } }),
    start: async () => void (isStarted = true),
    logs: async ({ since }: { since: number }) => {
      // The second line comes with the second look.
      const there = said.slice(0, ++looks)
      return Buffer.from(there.flatMap(({ at, line }) => (at / 1000 > since ? [line] : [])).join('\n'))
    },
  } as unknown as Docker.Container
  const started: boolean[] = []
  const life = { begin: () => {}, failure: undefined }
  const onStarted = () => void started.push(isStarted)
  await startAgain(container, life, { readyPattern: /ready/, onStarted })
  expect(started).toEqual([true])
  expect(looks).toBe(2)
})
