import { expect, test } from 'vitest'
import type { Component, Edge, HostReading, LoadResult } from '../model.js'
import { billWindow, busyNs, onePerProcess } from './usage.js'

const host = (changes: Partial<HostReading> = {}): HostReading => ({
  userNs: 0,
  systemNs: 0,
  softirqNs: 0,
  irqNs: 0,
  idleNs: 0,
  iowaitNs: 0,
  stealNs: 0,
  cpus: 2,
  atNs: 0,
  orchestratorCpuNs: 0,
  ...changes,
})
const second = 1e9

test('the host worked as long as it was neither idle nor robbed, whatever its ticks have seen', () => {
  const end = host({ atNs: second, idleNs: 1.4e9, iowaitNs: 0.1e9, stealNs: 0.2e9, userNs: 5e9 })
  expect(busyNs(host(), end)).toBeCloseTo(0.3e9)
  // Steps of 10 ms may say that it was idle for longer than there was time.
  expect(busyNs(host(), host({ atNs: second, idleNs: 2.01e9 }))).toBe(0)
})

test('components, orchestrator and what is left are the host', () => {
  const echo: Component = { name: 'echo', category: 'application', node: 'server' }
  const edge = (cpuNs: number, reading: HostReading): Edge => ({
    host: reading,
    usage: {
      echo: {
        cpuNs,
        source: 'cgroup-v1',
        resolutionNs: 1,
        voluntarySwitches: cpuNs / 1e6,
        readSyscalls: cpuNs / 1e5,
      },
    },
    counters: {},
  })
  const load = { generatorCpuUs: 200_000 } as LoadResult
  const end = host({ atNs: second, idleNs: 1.6e9, orchestratorCpuNs: 0.02e9 })
  const usage = billWindow([echo], edge(1e9, host()), edge(1.15e9, end), load)
  expect(usage.hostBusyNs).toBeCloseTo(0.4e9)
  const [server, generator] = usage.components
  expect(server).toMatchObject({
    cpuNs: 0.15e9,
    voluntarySwitches: 150,
    readSyscalls: 1500,
    source: 'cgroup-v1',
  })
  expect(generator).toMatchObject({ component: 'generator', cpuNs: 0.2e9, source: 'self-reported' })
  expect(usage.orchestratorNs).toBe(0.02e9)
  // A component that was not read at both ends is nobody's: it shows as unaccounted.
  expect(
    billWindow([echo], { ...edge(1e9, host()), usage: {} }, edge(1.15e9, end), load).components,
  ).toHaveLength(1)
})

test('a program that several arms share is charged once, to the arm that is measured', () => {
  const shared = (arm: string): Component => ({
    name: `${arm}/ztunnel`,
    arm,
    category: 'l4',
    node: 'client',
    process: 'ztunnel on a',
  })
  expect(onePerProcess([shared('a'), shared('b')], 'b').map(({ name }) => name)).toEqual(['b/ztunnel'])
})
