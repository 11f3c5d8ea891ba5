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

  it("reads a node's own programs with the children that they have waited for, and no stranger", async () => {
    const stat = (pid: number, name: string, own: string) =>
      `/proc/${pid}/stat:${pid} (${name}) S 1 1 1 0 -1 0 0 0 0 0 ${own} 20 0 9 0 5 1000 50 18446744073709551615`
    const text = [
      stat(140, 'containerd', '30 20 4 6'),
      stat(201, 'containerd-shim', '3 1 0 0'),
      stat(202, 'kubelet', '100 50 0 0'),
      // A stranger may well call itself so.
      stat(900, 'kubelet) S 1 (sh', '999 999 0 0'),
      stat(901, 'sh', '999 999 0 0'),
    ].join('\n')
    const usage = usageFromNodes(async () => text)
    const asked = ['kubelet', 'containerd'] as const
    const readings = await usage(
      [],
      asked.map((program) => ({ nodeName: 'worker', program })),
    )
    expect(readings.get('kubelet on worker')).toMatchObject({ cpuNs: 1.5e9, rssBytes: 50 * 4096 })
    expect(readings.get('containerd on worker')).toMatchObject({
      ...{ cpuNs: 0.64e9, cpuUserNs: 0.37e9, rssBytes: 100 * 4096 },
      ...{ source: 'ticks', resolutionNs: 10_000_000 },
    })
    expect((await usage([], [])).size).toBe(0)
    expect((await usageFromNodes(async () => '')([], [{ nodeName: 'w', program: 'kubelet' }])).size).toBe(0)
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
