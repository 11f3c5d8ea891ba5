/** What is due runs in the order of its time, and of arrival where that is the same. */
import { afterEach, describe, expect, it } from 'vitest'
import { Delays } from './delays.js'
import { nowUs } from './precise-timer.js'

describe('Delays', () => {
  let delays: Delays | undefined
  afterEach(() => delays?.close())

  /** What ran, in order, when all of it has. */
  const run = (dues: readonly (readonly [due: number, name: string])[]): Promise<string[]> =>
    new Promise((resolve) => {
      delays = new Delays()
      const done: string[] = []
      const start = nowUs()
      for (const [due, name] of dues)
        delays.at(start + due, () => {
          expect(nowUs()).toBeGreaterThanOrEqual(start + due)
          if (done.push(name) === dues.length) resolve(done)
        })
    })

  it('keeps the order of what is due, and of arrival where that is equal', async () => {
    const done = await run([
      [30_000, 'c'],
      [10_000, 'a'],
      [20_000, 'b1'],
      [20_000, 'b2'],
      [0, 'z'],
    ])
    expect(done).toEqual(['z', 'a', 'b1', 'b2', 'c'])
  })

  it('sorts many', async () => {
    const dues = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1009)
    const done = await run(dues.map((due) => [due, String(due)]))
    expect(done.map(Number)).toEqual([...dues].sort((a, b) => a - b))
  })

  it('runs what still waits when it is closed', async () => {
    const ran = run([
      [0, 'a'],
      [5000, 'b'],
    ])
    delays?.close()
    expect(await ran).toEqual(['a', 'b'])
  })
})
