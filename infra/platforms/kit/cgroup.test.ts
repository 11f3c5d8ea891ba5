import { describe, expect, it } from 'vitest'
import { addReadings, cgroupFiles, parseCgroup, parseProcCgroup } from './cgroup.js'

describe('parseProcCgroup', () => {
  it('reads version 1, where controllers may lie in different groups', () => {
    const text = `5:devices:/docker/abc
4:memory:/outer/docker/abc
2:cpu,cpuacct:/docker/abc
0::/system.slice
`
    expect(parseProcCgroup(text)).toEqual({
      version: 1,
      cpu: '/sys/fs/cgroup/cpu/docker/abc',
      cpuacct: '/sys/fs/cgroup/cpuacct/docker/abc',
      memory: '/sys/fs/cgroup/memory/outer/docker/abc',
    })
  })

  it('reads version 2', () => {
    const folder = '/sys/fs/cgroup/system.slice/docker-abc.scope'
    expect(parseProcCgroup('0::/system.slice/docker-abc.scope\n')).toEqual({
      version: 2,
      cpu: folder,
      cpuacct: folder,
      memory: folder,
    })
  })

  it('knows nothing of an empty text', () => {
    expect(parseProcCgroup('')).toBeUndefined()
  })
})

describe('parseCgroup', () => {
  it('reads version 2 in microseconds, and the working set', () => {
    const reading = parseCgroup(2, {
      cpuStat:
        'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 10\nnr_throttled 3\nthrottled_usec 70\n',
      memory: '1000000\n',
      memoryStat: 'anon 5\nactive_file 7\ninactive_file 400000\n',
      memoryPeak: '2000000\n',
    })
    expect(reading).toEqual({
      cpuNs: 1_500_000,
      cpuUserNs: 1_000_000,
      cpuSystemNs: 500_000,
      throttledPeriods: 3,
      rssBytes: 600_000,
      peakRssBytes: 2_000_000,
      source: 'cgroup-v2',
      resolutionNs: 1000,
    })
  })

  it('reads version 1 in nanoseconds, with the hierarchy’s inactive pages', () => {
    const reading = parseCgroup(1, {
      cpuStat: 'nr_periods 0\nnr_throttled 2\nthrottled_time 99\n',
      cpu: '123456789\n',
      cpuUser: '100000000\n',
      cpuSystem: '23456789\n',
      memory: '5000\n',
      memoryStat: 'inactive_file 1\ntotal_inactive_file 2000\n',
      memoryPeak: '6000\n',
    })
    expect(reading).toMatchObject({
      cpuNs: 123_456_789,
      rssBytes: 3000,
      source: 'cgroup-v1',
    })
  })

  it('says nothing rather than zero when the CPU time is missing', () => {
    expect(parseCgroup(2, { memory: '1' })).toBeUndefined()
    expect(parseCgroup(1, { cpuStat: 'nr_throttled 1' })).toBeUndefined()
  })

  it('leaves out what an older kernel does not have', () => {
    expect(parseCgroup(2, { cpuStat: 'usage_usec 1\n' })).toEqual({
      cpuNs: 1000,
      source: 'cgroup-v2',
      resolutionNs: 1000,
    })
  })
})

it('cgroupFiles names each file once', () => {
  for (const text of ['0::/a', '1:cpu:/a\n2:cpuacct:/a\n3:memory:/a']) {
    const files = Object.values(cgroupFiles(parseProcCgroup(text)!))
    expect(new Set(files).size).toBe(files.length)
  }
})

it('addReadings leaves out a figure that one part lacks', () => {
  const a = { cpuNs: 1, rssBytes: 10, source: 'cgroup-v2', resolutionNs: 1000 }
  const b = { cpuNs: 2, source: 'cgroup-v2', resolutionNs: 1000 }
  expect(addReadings([a, b])).toEqual({ cpuNs: 3, source: 'cgroup-v2', resolutionNs: 1000 })
  expect(addReadings([a, { ...b, rssBytes: 5 }])?.rssBytes).toBe(15)
  expect(addReadings([])).toBeUndefined()
})
