import { hostname } from 'node:os'
import type Docker from 'dockerode'
import { expect, it } from 'vitest'
import { findRunsOnEngine, removeArm, removeRun } from './clean.js'
import { componentLabel, machineLabel, runLabel } from './labels.js'

const refusal = (statusCode: number) => Object.assign(new Error(`status ${statusCode}`), { statusCode })

/** An engine that holds one container on one network, and lets go of either only after some refusals. */
function busyEngine(refusals: { readonly container: number[]; readonly network: number[] }) {
  const there = { container: true, network: true }
  const left = { container: [...refusals.container], network: [...refusals.network] }
  const object = (kind: 'container' | 'network') => ({
    remove: async () => {
      const status = left[kind].shift()
      if (status !== undefined) throw refusal(status)
      there[kind] = false
    },
    inspect: async () => {
      if (!there[kind]) throw refusal(404)
    },
  })
  const Labels = { [runLabel]: 'r' }
  const docker = {
    listContainers: async () => [{ Id: 'c', Names: ['/c'], Labels }],
    listNetworks: async () => [{ Id: 'n', Name: 'n', Labels }],
    getContainer: () => object('container'),
    getNetwork: () => object('network'),
  } as unknown as Docker
  return { docker, there }
}

it('finds of all runs those of this machine, and one of another by its id', async () => {
  const made = { a: hostname(), b: 'another', c: undefined }
  const containers = Object.entries(made).map(([id, machine]) => ({
    Labels: { [runLabel]: id, ...(machine === undefined ? {} : { [machineLabel]: machine }) },
  }))
  const docker = {
    listContainers: async ({ filters }: { filters: { label: string[] } }) =>
      containers.filter(({ Labels }) =>
        [runLabel, `${runLabel}=${Labels[runLabel]}`].includes(filters.label[0] ?? ''),
      ),
    listNetworks: async () => [],
  } as unknown as Docker
  const ids = async (runId?: string) => (await findRunsOnEngine(docker, runId)).map((run) => run.runId)
  // What an earlier version made names no machine.
  expect(await ids()).toEqual(['a', 'c'])
  expect(await ids('b')).toEqual(['b'])
})

it('waits for removals that others began, and for networks until the last container has left', async () => {
  const { docker, there } = busyEngine({ container: [409], network: [403, 409] })
  await removeRun(docker, 'r')
  expect(there).toEqual({ container: false, network: false })
})

it('tells what the engine refuses for another reason', async () => {
  const { docker, there } = busyEngine({ container: [], network: Array.from({ length: 50 }, () => 500) })
  await expect(removeRun(docker, 'r', 100)).rejects.toThrow('remove network n: status 500')
  expect(there).toEqual({ container: false, network: true })
})

it('takes away what an arm has, ready or not, and nothing of another or of all', async () => {
  const labels = (component: string) => ({ [runLabel]: 'r', [componentLabel]: component })
  const names = ['a/x/waypoint', 'a/x/client', 'a/x+2/waypoint', 'a/xy/waypoint', 'echo', 'generator']
  const removed: string[] = []
  const docker = {
    listContainers: async () => names.map((name) => ({ Id: name, Names: [name], Labels: labels(name) })),
    getContainer: (id: string) => ({
      remove: async () => void removed.push(id),
      inspect: () => Promise.reject(refusal(404)),
    }),
  } as unknown as Docker
  await removeArm(docker, 'r', 'a/x')
  expect(removed).toEqual(['a/x/waypoint', 'a/x/client'])
})
