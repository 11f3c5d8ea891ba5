import { expect, it } from 'vitest'
import { parseChildTicks } from './accounts.js'
import { parseSchedstat, used } from './references.js'

const host = (idleNs: number, change = {}) => ({
  ...{ userNs: 0, systemNs: 0, idleNs, iowaitNs: 0, irqNs: 0, softirqNs: 0, stealNs: 0, cpus: 2, atNs: 0 },
  ...change,
})

it('counters are read in cores, and what was stolen is not idle and in no task', () => {
  const from = { host: host(0), tasksNs: 0 }
  const to = { host: host(0.9e9, { userNs: 1e9, stealNs: 0.1e9, atNs: 1e9 }), tasksNs: 0.95e9 }
  expect(used(from, to)).toEqual({ tasks: 0.95, notIdle: 1.1, ticks: 1, steal: 0.1 })
  expect(used({ ...from, tasksNs: undefined }, to).tasks).toBeUndefined()
})

it('schedstat’s run time is summed over CPUs and not over domains', () => {
  const text =
    'version 17\ntimestamp 1\ncpu0 0 0 0 0 0 0 111 5 9\ndomain0 3 0 0 0 0 0 7\ncpu1 0 0 0 0 0 0 222 5 9\n'
  expect(parseSchedstat(text)).toBe(333)
})

it('a process’s account of its ended children is read behind its name, whatever that holds', () => {
  const before = Array.from({ length: 13 }, (_, index) => String(index))
  expect(parseChildTicks(`42 (a) (b c) ${[...before, '7', '5', '20'].join(' ')}`)).toBe(12)
})
