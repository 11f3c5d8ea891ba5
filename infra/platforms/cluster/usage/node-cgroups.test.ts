import { describe, expect, it } from 'vitest'
import { findCommand, parseFound, parseRead, readCommand, usageFromNodes } from './node-cgroups.js'

const [a, b] = ['a'.repeat(64), 'b'.repeat(64)]

describe('cgroups on a node', () => {
  it('finds containers by id under systemd and version 2, guaranteed pods included', () => {
    const root = '/sys/fs/cgroup/kubelet.slice/kubelet-kubepods.slice'
    const burstable = `${root}/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod1_2.slice/cri-containerd-${a}.scope`
    const guaranteed = `${root}/kubelet-kubepods-pod3_4.slice/cri-containerd-${b}.scope`
    const found = parseFound(`${burstable}\n${guaranteed}\n${guaranteed}/below-${b}\n`, [a, b])
    expect(found.get(a)).toEqual({ version: 2, cpu: burstable, cpuacct: burstable, memory: burstable })
    expect(found.get(b)?.cpu).toBe(guaranteed)
  })

  it('finds them under cgroupfs and version 1, and knows the other controllers’ folders', () => {
    const below = `/kubelet/kubepods/burstable/podu-1/${a}`
    expect(parseFound(`/sys/fs/cgroup/cpuacct${below}\n`, [a, b])).toEqual(
      new Map([
        [
          a,
          {
            version: 1,
            cpu: `/sys/fs/cgroup/cpu${below}`,
            cpuacct: `/sys/fs/cgroup/cpuacct${below}`,
            memory: `/sys/fs/cgroup/memory${below}`,
          },
        ],
      ]),
    )
  })

  it.each([
    ['/sys/fs/cgroup/cpuacct/cpuacct.usage:77', 1, 77],
    ['/sys/fs/cgroup/cpu.stat:usage_usec 88', 2, 88_000],
  ])('reads a whole node at the root of its cgroups: %s', async (line, version, cpuNs) => {
    const usage = usageFromNodes(async (_, argv) => (argv.includes('-print') ? '' : `${line}\n`))
    const readings = await usage([], ['worker'])
    expect(readings.get('worker')).toMatchObject({ cpuNs, source: `cgroup-v${version}` })
    expect((await usage([], [])).size).toBe(0)
  })

  it('passes ids and paths as arguments, never as part of the script', () => {
    const [, , script] = findCommand([a])
    expect(script).not.toContain(a)
    const cgroups = [...parseFound(`/sys/fs/cgroup/x/${a}\n`, [a]).values()]
    expect(readCommand(cgroups)[2]).not.toContain(a)
  })

  it('reads what grep prints, and leaves out containers whose files are gone', () => {
    const cgroups = parseFound(`/sys/fs/cgroup/k/${a}\n/sys/fs/cgroup/k/${b}\n`, [a, b])
    const printed = [
      `/sys/fs/cgroup/k/${a}/cpu.stat:usage_usec 42`,
      `/sys/fs/cgroup/k/${a}/cpu.stat:nr_throttled 1`,
      `/sys/fs/cgroup/k/${a}/memory.current:1000`,
      `/sys/fs/cgroup/k/${a}/memory.stat:inactive_file 100`,
      '',
    ].join('\n')
    const readings = parseRead(printed, cgroups)
    expect(readings.get(a)).toMatchObject({ cpuNs: 42_000, throttledPeriods: 1, rssBytes: 900 })
    expect(readings.has(b)).toBe(false)
  })
})
