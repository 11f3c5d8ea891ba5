import { realpathSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import { containerOptions } from './container-options.js'
import { unmetReach } from './docker.js'
import { engineAddresses } from './engine.js'
import { clampLimits } from '../kit/settings.js'
import { objectName } from './labels.js'
import { dockerSettings } from './settings.js'
import { attachmentOf, attachmentOfService, besideOf } from './topology.js'
import { parseStats } from './usage.js'

describe('containerOptions', () => {
  it('confines a hop: no root, no capabilities, read-only, no swap', () => {
    const options = containerOptions({
      name: 'meshbench-r-waypoint',
      image: 'meshbench/proxy:1',
      argv: ['node', '/app/proxy.mjs'],
      labels: { 'meshbench.run': 'r' },
      networkMode: 'meshbench-r-waypoint',
      limits: { cpus: 1.5, memoryMib: 256 },
      cpuset: '0-1',
    })
    expect(options).toMatchInlineSnapshot(`
      {
        "Cmd": [
          "node",
          "/app/proxy.mjs",
        ],
        "Entrypoint": [],
        "Env": [],
        "HostConfig": {
          "CapDrop": [
            "ALL",
          ],
          "CpusetCpus": "0-1",
          "Memory": 268435456,
          "MemorySwap": 268435456,
          "NanoCpus": 1500000000,
          "NetworkMode": "meshbench-r-waypoint",
          "PidsLimit": 256,
          "ReadonlyRootfs": true,
          "RestartPolicy": {
            "Name": "no",
          },
          "SecurityOpt": [
            "no-new-privileges",
          ],
          "Tmpfs": {
            "/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777",
          },
        },
        "Image": "meshbench/proxy:1",
        "Labels": {
          "meshbench.run": "r",
        },
        "User": "65532:65532",
        "Volumes": {
          "/etc/meshbench": {},
        },
        "name": "meshbench-r-waypoint",
      }
    `)
  })
})

it('a hop with cores of its own waits for a few ms and not for most of 100', () => {
  const { HostConfig: host } = containerOptions({
    ...{ name: 'unit', image: 'meshbench/proxy:1', argv: [], labels: {}, networkMode: 'bridge' },
    ...{ limits: { cpus: 2, memoryMib: 256 }, cpus: 0.2 },
  })
  // An engine takes either of both ways.
  expect([host?.NanoCpus, host?.CpuQuota, host?.CpuPeriod]).toEqual([undefined, 2_000, 10_000])
})

describe('besideOf', () => {
  const path = paths['l7-sidecar-to-sidecar']
  const id = `reference/${path.name}`
  const [outbound, inbound] = path.hops as [(typeof path.hops)[0], (typeof path.hops)[0]]
  const unit = { id: `${id}+unit-2`, copy: { of: id, which: 'unit-2' as const } }

  it('puts a sidecar into its application’s network, that of a unit into the one that the unit brings', () => {
    expect(besideOf(inbound, { id }, path)).toBe('echo')
    expect(besideOf(inbound, { id: `${id}+2`, copy: { of: id, which: 2 } }, path)).toBe('echo')
    expect(besideOf(inbound, unit, path)).toBe(`${id}+unit-2/echo`)
  })

  it('has the copies of a client’s sidecar where one generator reaches all of them', () => {
    expect(besideOf(outbound, { id }, path)).toBeUndefined()
    expect(besideOf(outbound, unit, path)).toBe(`${id}/client-sidecar`)
  })

  it('leaves all others their own', () => {
    const waypoints = paths['l4-l7-l4']
    for (const hop of waypoints.hops) expect(besideOf(hop, unit, waypoints)).toBeUndefined()
  })
})

describe('attachmentOf', () => {
  it('puts each hop on its node and on the next one’s network, and no further', () => {
    const path = paths['l4-l7-l4']
    const attachments = [-1, 0, 1, 2, 3].map((index) => attachmentOf(path, index))
    expect(attachments).toEqual([
      { home: 'client', others: [] },
      { home: 'client', others: ['waypoint'] },
      { home: 'waypoint', others: ['server'] },
      { home: 'server', others: [] },
      { home: 'server', others: [] },
    ])
  })

  it('lets the client of the baseline reach the server itself', () => {
    expect(attachmentOf(paths.baseline, -1)).toEqual({ home: 'client', others: ['server'] })
  })

  it.each(Object.values(paths))('puts a service where every L7 hop of $name reaches it', (path) => {
    const { home, others } = attachmentOfService(path)
    expect(others).toEqual([])
    for (const [index, { layer }] of path.hops.entries()) {
      const { home: own, others: further } = attachmentOf(path, index)
      if (layer === 'l7') expect([own, ...further]).toContain(home)
    }
  })
})

describe('engineAddresses', () => {
  it('asks nobody but the engine that was named', () => {
    expect(engineAddresses({ DOCKER_HOST: 'tcp://build:2376' }, 0, '/root')).toEqual(['tcp://build:2376'])
  })

  it('looks for Docker before Podman, rootless ones in the runtime folder', () => {
    const addresses = engineAddresses({ XDG_RUNTIME_DIR: '/run/user/7' }, 7, '/home/a')
    expect(addresses[0]).toBe('unix:///var/run/docker.sock')
    expect(addresses).toContain('unix:///run/user/7/podman/podman.sock')
    expect(engineAddresses({ XDG_RUNTIME_DIR: '' }, 7, '/home/a')).toEqual(addresses)
    expect(addresses.at(-1)).toBe('unix:///run/podman/podman.sock')
  })
})

describe('parseStats', () => {
  const cpu = { cpu_usage: { total_usage: 5, usage_in_usermode: 3, usage_in_kernelmode: 2 } }

  it('takes inactive pages off on both cgroup versions', () => {
    const v1 = parseStats({
      cpu_stats: { ...cpu, throttling_data: { throttled_periods: 1 } },
      memory_stats: { usage: 100, max_usage: 200, stats: { total_inactive_file: 30, inactive_file: 1 } },
    })
    expect(v1).toMatchObject({ cpuNs: 5, rssBytes: 70, peakRssBytes: 200, throttledPeriods: 1 })
    const v2 = parseStats({ cpu_stats: cpu, memory_stats: { usage: 100, stats: { inactive_file: 40 } } })
    expect(v2.rssBytes).toBe(60)
    expect(v2.peakRssBytes).toBeUndefined()
  })

  it('does not go below zero when the figures were taken at different instants', () => {
    const stats = { cpu_stats: cpu, memory_stats: { usage: 100, stats: { inactive_file: 140 } } }
    expect(parseStats(stats).rssBytes).toBe(100)
  })
})

describe('settings', () => {
  it('has Istio’s default limits, and none above what the engine has', () => {
    const settings = dockerSettings.parse({})
    expect(settings.hop).toEqual({ cpus: 2, memoryMib: 1024 })
    expect(clampLimits(settings, 1).hop).toEqual({ cpus: 1, memoryMib: 1024 })
  })

  it('names a wrong field', () => {
    expect(() => dockerSettings.parse({ baseImage: 'node:20' })).toThrow(/baseImage[\s\S]*|digest/)
    expect(() => dockerSettings.parse({ cpu: 1 })).toThrow(/cpu/)
  })
})

it('objectName gives names that engines accept', () => {
  expect(objectName('2026-01-01t00', 'reference/l4-only@v 2/hop')).toBe(
    'meshbench-2026-01-01t00-reference-l4-only-v-2-hop',
  )
})

describe('cpusets', () => {
  it.each(['3-1', '-', ',', '0-', 'all'])('refuse %s with their field, before an engine is asked', (list) => {
    expect(dockerSettings.safeParse({ cpusets: { server: list } }).error?.issues[0]?.path).toEqual([
      'cpusets',
      'server',
    ])
    expect(dockerSettings.safeParse({ cpusets: { server: '0,2-3' } }).success).toBe(true)
  })
})

describe('containers of programs of others', () => {
  const on = (address: string, operatingSystem = 'Debian GNU/Linux 12') =>
    unmetReach(['haproxy'], { address, operatingSystem }).map(({ need }) => need)

  it('need an engine whose containers are reached by address, which is said before any is made', () => {
    const need = ['an engine whose containers can be reached by address, for haproxy']
    expect(on('tcp://engine.example:2375')).toEqual(need)
    expect(on('unix:///run/user/1000/podman/podman.sock')).toEqual(need)
    expect(on('unix:///var/run/docker.sock', 'Docker Desktop')).toEqual(need)
    expect(unmetReach([], { address: 'tcp://engine.example:2375', operatingSystem: '' })).toEqual([])
  })

  it.runIf(process.platform === 'linux')('find it under either name of its folder', () => {
    expect(on('unix:///var/run/docker.sock')).toEqual([])
    expect(on('unix:///run/docker.sock')).toEqual(
      realpathSync('/var/run') === '/run' ? [] : expect.anything(),
    )
  })
})
