import { describe, expect, it } from 'vitest'
import { recordedText } from '../testdata/recorded.js'
import { findCommand, parseFound, parseRead, readCommand, usageFromNodes } from './node-cgroups.js'

const recorded = JSON.parse(recordedText('cgroups.json')) as {
  readonly ids: { readonly coredns: string; readonly 'kube-proxy': string }
  readonly found: readonly string[]
  readonly files: readonly string[]
  readonly processes: readonly string[]
}
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

  it('finds and reads those of a node of kind, under systemd and version 1', () => {
    const { ids, found, files } = recorded
    const cgroups = parseFound(found.join('\n'), Object.values(ids))
    expect([...cgroups.keys()].sort()).toEqual(Object.values(ids).sort())
    const readings = parseRead(files.join('\n'), cgroups)
    expect(readings.get(ids.coredns)).toMatchObject({
      ...{ cpuNs: 727_196_849, rssBytes: 15_151_104, throttledPeriods: 0 },
      source: 'cgroup-v1',
    })
    expect(readings.get(ids['kube-proxy'])?.cpuNs).toBe(782_702_252)
  })

  it("reads a node's own programs with the children that they have waited for, and no stranger", async () => {
    // A stranger may well call itself so.
    const stranger =
      '/proc/900/stat:900 (kubelet) S 1 (sh) S 1 1 1 0 -1 0 0 0 0 0 999 999 0 0 20 0 9 0 5 1000 50 18446744073709551615'
    const usage = usageFromNodes(async () => [...recorded.processes, stranger].join('\n'))
    const asked = ['kubelet', 'containerd'] as const
    const readings = await usage(
      [],
      asked.map((program) => ({ nodeName: 'worker', program })),
    )
    expect(readings.get('kubelet on worker')).toMatchObject({
      cpuNs: (889 + 360 + 10 + 5) * 1e7,
      rssBytes: 37_042 * 4096,
    })
    // containerd itself, and its shims by their first fifteen letters.
    expect(readings.get('containerd on worker')).toMatchObject({
      ...{ source: 'ticks', resolutionNs: 10_000_000 },
      ...{ cpuNs: 1_811 * 1e7, cpuUserNs: 1_155 * 1e7, rssBytes: 49_315 * 4096 },
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
