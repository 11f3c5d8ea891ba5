import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import type { ByteStream } from '../net/byte-stream.js'
import { ClientPool } from './client-pool.js'
import { limits } from './testkit.js'

/** A peer that hears all and says nothing. */
class SilentPeer extends EventEmitter implements ByteStream {
  readonly destroyed = false
  readonly writableLength = 0
  readonly bytesWritten = 0
  write = () => true
  end(): void {}
  destroy(): void {}
  resetAndDestroy(): void {}
  pause(): void {}
  resume(): void {}
}

interface Owner {
  readonly name: string
  readonly isOver: boolean
}

/** Dials that end when the test says so; each connection is for so many streams. */
function start(maxStreams: number) {
  const dials: { succeed(): void; fail(): void }[] = []
  const told: string[] = []
  let standing = 0
  class TestPool extends ClientPool<Owner> {
    protected override serve({ name }: Owner): void {
      told.push(`${name} served`)
    }
    protected override fail({ name }: Owner, error: unknown): void {
      told.push(`${name}: ${(error as Error).message}`)
    }
  }
  const pool = new TestPool({
    dial: () =>
      new Promise((resolve, reject) =>
        dials.push({
          succeed: () => {
            resolve(new SilentPeer())
          },
          fail: () => {
            reject(new Error('refused'))
          },
        }),
      ),
    limits,
    settings: () => ({ maxStreams, idleMs: 60_000, connectTimeoutMs: 1000 }),
    onCount: (change) => (standing += change),
  })
  const wait = (name: string): void => {
    pool.wait({ name, isOver: false })
  }
  return { pool, dials, told, wait, standing: () => standing }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

it('fails those alone for whom no other dial is under way', async () => {
  const { dials, told, wait } = start(1)
  wait('a')
  wait('b')
  expect(dials.length).toBe(2)
  dials[0]?.fail()
  await turn()
  expect(told).toEqual(['a: refused'])
  dials[1]?.succeed()
  await turn()
  expect(told).toEqual(['a: refused', 'b served'])
})

it('dials once for as many as fit on a connection', () => {
  const { dials, wait } = start(3)
  for (const name of ['a', 'b', 'c']) wait(name)
  expect(dials.length).toBe(1)
  wait('d')
  expect(dials.length).toBe(2)
})

it('leaves a peer that has not said its first word in time', async () => {
  const { pool, dials, wait, standing } = start(1)
  wait('a')
  dials[0]?.succeed()
  await turn()
  pool.onTick(performance.now())
  expect(standing()).toBe(1)
  pool.onTick(performance.now() + 1001)
  expect(standing()).toBe(0)
  expect(pool.find()).toBeUndefined()
})
