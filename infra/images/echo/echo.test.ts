import { describe, expect, it } from 'vitest'
import { DeadlineQueue } from './deadline-queue.js'
import { parseTarget } from './request.js'

describe('parseTarget', () => {
  it('reads size, delay and status', () => {
    expect(parseTarget('/echo?size=1024&delay=0.2ms&status=503')).toEqual({
      sizeBytes: 1024,
      delayUs: 200,
      status: 503,
    })
    expect(parseTarget('/echo?delay=50us').delayUs).toBe(50)
    expect(parseTarget('/echo?delay=1.5s').delayUs).toBe(1_500_000)
    expect(parseTarget('/anything')).toEqual({ sizeBytes: undefined, delayUs: 0, status: 200 })
  })

  for (const query of ['size=-1', 'size=1k', 'size=', 'delay=fast', 'delay=61s', 'status=99', 'status=700']) {
    it(`refuses ${query}, naming it`, () => {
      expect(() => parseTarget(`/echo?${query}`)).toThrow(query.split('=')[0])
    })
  }
})

describe('DeadlineQueue', () => {
  it('gives what is due in order of its deadline, and of arrival where deadlines are equal', () => {
    const queue = new DeadlineQueue<string>()
    for (const [at, name] of [
      [30, 'c'],
      [10, 'a'],
      [20, 'b1'],
      [20, 'b2'],
      [5, 'z'],
    ] as const) {
      queue.add(at, name)
    }
    expect(queue.earliest()).toBe(5)
    const taken: (string | undefined)[] = []
    for (let i = 0; i < 5; i++) taken.push(queue.takeDue(25))
    expect(taken).toEqual(['z', 'a', 'b1', 'b2', undefined])
    expect(queue.size).toBe(1)
    expect(queue.takeDue(30)).toBe('c')
    expect(queue.earliest()).toBe(Infinity)
  })

  it('sorts many', () => {
    const queue = new DeadlineQueue<number>()
    const deadlines = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1009)
    for (const deadline of deadlines) queue.add(deadline, deadline)
    const sorted = Array.from({ length: 1000 }, () => queue.takeDue(Infinity))
    expect(sorted).toEqual([...deadlines].sort((a, b) => a - b))
  })
})
