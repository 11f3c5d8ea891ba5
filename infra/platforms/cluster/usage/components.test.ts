import { beforeEach, describe, expect, it } from 'vitest'
import type { Component, TrialError, UsageReading } from '../../../../harness/model.js'
import { Components, type ContainerRef } from './components.js'
import type { Pod, PodWatch } from '../api/pods.js'
import { recordedPod } from '../testdata/recorded.js'

const idOf = (letter: string) => letter.repeat(64)

function pod(
  name: string,
  containers: Readonly<Record<string, string>>,
  parts: { ready?: boolean; node?: string } = {},
): Pod {
  const { node: nodeName = 'worker' } = parts
  const ready = recordedPod('ready', { name, nodeName, namespace: 'bench', uid: name, labels: { app: 'wp' } })
  const [status] = ready.status.containerStatuses ?? []
  return {
    ...ready,
    status: {
      ...ready.status,
      conditions: [{ type: 'Ready', status: parts.ready === false ? 'False' : 'True' }],
      containerStatuses: Object.entries(containers).map(([container, letter]) => ({
        ...status!,
        name: container,
        containerID: `containerd://${idOf(letter)}`,
      })),
    },
  }
}

const waypoint: Component = { name: 'reference/x/waypoint', category: 'l7', node: 'waypoint' }

describe('Components', () => {
  let pods: Pod[]
  let readings: Map<string, UsageReading>
  let asked: readonly ContainerRef[]
  let nodeFailure: TrialError | undefined
  let components: Components

  beforeEach(() => {
    pods = [pod('wp-1', { proxy: 'a', injected: 'b' })]
    readings = new Map(
      [
        ['a', 5],
        ['b', 7],
        ['c', 9],
      ].map(([letter, cpuNs]) => [
        idOf(letter as string),
        { cpuNs: cpuNs as number, rssBytes: 100, source: 'cgroup-v2', resolutionNs: 1000 },
      ]),
    )
    nodeFailure = undefined
    components = new Components({
      pods: { find: () => pods } as unknown as PodWatch,
      usage: async (refs) => {
        asked = refs
        return readings
      },
      nodeFailure: () => nodeFailure,
    })
    components.bind(waypoint, { namespace: 'bench', podSelector: 'app=wp', container: 'proxy' })
  })

  it('reads the container that was bound, and no other of its pod', async () => {
    expect((await components.readUsage([waypoint]))[waypoint.name]?.cpuNs).toBe(5)
    expect(asked.map(({ container, nodeName }) => [container, nodeName])).toEqual([['proxy', 'worker']])
  })

  it('adds up a whole pod, and pods on every node', async () => {
    components.bind(waypoint, { namespace: 'bench', podSelector: 'app=wp' })
    pods.push(pod('wp-2', { proxy: 'c' }, { node: 'worker2' }))
    expect((await components.readUsage([waypoint]))[waypoint.name]).toMatchObject({
      cpuNs: 21,
      rssBytes: 300,
    })
  })

  it('gives no figure rather than a part of one', async () => {
    components.bind(waypoint, { namespace: 'bench', podSelector: 'app=wp' })
    readings.delete(idOf('b'))
    expect(await components.readUsage([waypoint])).toEqual({})
  })

  it('keeps to one node when bound to it', async () => {
    pods.push(pod('wp-2', { proxy: 'c' }, { node: 'worker2' }))
    components.bind(waypoint, {
      namespace: 'bench',
      podSelector: 'app=wp',
      container: 'proxy',
      nodeName: 'worker2',
    })
    expect((await components.readUsage([waypoint]))[waypoint.name]?.cpuNs).toBe(9)
  })

  it('bills a program of the nodes over all of them, and a stranger on a node to nobody', async () => {
    const kubelet: Component = { name: 'kubernetes/kubelet', category: 'platform', node: 'control-plane' }
    components.bindProgram(kubelet, 'kubelet', ['worker', 'worker2'])
    // A busy pod of somebody's, which no component is bound to.
    pods.push({
      ...pod('stranger', { busy: 'c' }),
      metadata: { ...pod('stranger', {}).metadata, labels: {} },
    })
    const reading = { cpuNs: 100, rssBytes: 1000, source: 'ticks', resolutionNs: 1 }
    readings.set('kubelet on worker', reading)
    expect(await components.readUsage([kubelet])).toEqual({})
    readings.set('kubelet on worker2', reading)
    const usage = await components.readUsage([waypoint, kubelet])
    expect(usage[kubelet.name]).toMatchObject({ cpuNs: 200, rssBytes: 2000 })
    expect(usage[waypoint.name]?.cpuNs).toBe(5)
    expect(asked.map(({ container }) => container)).toEqual(['proxy'])
  })

  it('is well until its pod is gone or not ready', () => {
    expect(components.health(waypoint.name)).toBeUndefined()
    pods = [pod('wp-1', { proxy: 'a' }, { ready: false })]
    expect(components.health(waypoint.name)?.kind).toBe('hop-died')
    pods = []
    expect(components.health(waypoint.name)?.message).toContain('its pod is gone')
  })

  it('does not let a trial go on with a replaced container, but the next one', () => {
    components.beginTrial()
    pods = [pod('wp-2', { proxy: 'c' })]
    expect(components.health(waypoint.name)?.message).toContain('replaced during the trial')
    components.beginTrial()
    expect(components.health(waypoint.name)).toBeUndefined()
    pods = [pod('wp-3', { proxy: 'd' }, { ready: false })]
    expect(components.health(waypoint.name)?.message).toMatch(/wp-3.* in the place of what went away/)
  })

  it('blames the node when that is what died', () => {
    nodeFailure = { kind: 'node-died', message: 'the node worker ended with code 137' }
    expect(components.health(waypoint.name)).toBe(nodeFailure)
  })
})
