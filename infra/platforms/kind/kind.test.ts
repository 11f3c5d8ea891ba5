import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import { describe, expect, it } from 'vitest'
import { clusterName, deleteCluster, findClusters, runOfCluster } from './clean.js'
import { createCluster, loadArchive, saveImages } from './cluster.js'
import { placeUnpinned } from './create.js'
import { CommandError } from '../../../harness/model/errors.js'
import { nodeNames, renderClusterConfig, rolesOf } from './cluster-config.js'
import { hasNetwork, missingImages } from './kept.js'
import { fakeProgram } from '../cluster/api/testing.js'
import { recordedText } from '../cluster/testdata/recorded.js'
import { checkNodeImage } from './node-image.js'
import { checkHostFacts } from './preflight.js'
import { checkTools, hostPlatform, makeExecutable, unpacked } from '../../supply/tools.js'
import { clusterNeeds } from '../../meshes/declared.js'
import { run } from '../../../harness/process/exec.js'
import { openScope } from '../../../harness/process/scope.js'
import { nodeImageFor, pinnedReference } from '../../supply/versions.js'
import { testRequest } from '../../../harness/testing/request.js'
import { withScope } from '../../../harness/testing/scope.js'

const runId = '2026-11-22t10-04-31-1a2b3c'

describe('cluster config', () => {
  const plain = { defaultCni: true, kubeProxy: true }
  const nodeImage = 'kindest/node:v1.34.11@sha256:44e2'

  it('of a host with cgroup v1 is as reviewed', async () => {
    const text = renderClusterConfig({
      name: 'mb-run--reference',
      nodeImage,
      workers: 3,
      cgroup: 'v1',
      needs: plain,
    })
    await expect(text).toMatchFileSnapshot('testdata/cluster-v1.yaml')
  })

  it('of Cilium on cgroup v2 is as reviewed', async () => {
    const needs = { defaultCni: false, kubeProxy: false }
    const text = renderClusterConfig({ name: 'mb-run--cilium', nodeImage, workers: 3, cgroup: 'v2', needs })
    await expect(text).toMatchFileSnapshot('testdata/cluster-cilium-v2.yaml')
  })

  it('names nodes as kind does, and shares them when there are few', () => {
    expect(nodeNames('c', 3)).toEqual({
      'control-plane': 'c-control-plane',
      client: 'c-worker',
      server: 'c-worker2',
      waypoint: 'c-worker3',
    })
    expect(nodeNames('c', 2)).toMatchObject({
      client: 'c-worker',
      server: 'c-worker2',
      waypoint: 'c-worker2',
    })
    expect(rolesOf(1).flat()).toEqual(['client', 'server', 'waypoint'])
  })

  it('takes CNI and kube-proxy away for Cilium alone', () => {
    const of = (mesh: string) => clusterNeeds(testRequest({ arms: [{ mesh: 'none' }, { mesh }] }))
    expect(of('cilium')).toEqual({ defaultCni: false, kubeProxy: false })
    expect(of('istio-ambient')).toEqual(plain)
  })
})

describe('a run that is interrupted between two commands', () => {
  it('starts none of those that take minutes', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'meshbench-test-'))
    const scope = openScope({ runId, stateDir, signal: AbortSignal.abort(new Error('interrupted')) })
    // It would succeed at once.
    const [kind, docker] = ['true', 'true']
    const common = { name: 'c', timeoutMs: 1_000, scope }
    try {
      const all = [
        () => createCluster({ ...common, kind, docker: {} as Docker, config: '', keep: false }),
        () => saveImages({ docker, references: [], scope }),
        () => loadArchive({ kind, name: 'c', archive: 'a', nodes: [], scope }),
      ]
      for (const command of all) await expect(command()).rejects.toThrow('interrupted')
      expect(await readdir(stateDir)).toEqual([])
    } finally {
      await rm(stateDir, { recursive: true })
    }
  })
})

describe('cluster names', () => {
  it('tell the run, and leave room for kind’s suffixes in 63 characters', () => {
    const name = clusterName(runId, 'kind/istio-ambient')
    expect(name).toBe(`mb-${runId}--istio-ambient`)
    expect(runOfCluster(name)).toBe(runId)
    expect(`${name}-control-plane`.length).toBeLessThanOrEqual(63)
  })

  it('of others are left alone', () => {
    for (const name of ['kind', 'mb', 'mb-mine', 'bench-x--y']) expect(runOfCluster(name)).toBeUndefined()
  })
})

describe('clusters that are left', () => {
  /** An engine with nodes of these clusters; the first removal of each is refused, as by an engine that is busy. */
  const engineWith = (...clusters: readonly string[]) => {
    const nodes = new Map(
      clusters.flatMap((name) => ['control-plane', 'worker'].map((role) => [`${name}-${role}`, name])),
    )
    const refused = new Set<string>()
    const gone = (statusCode = 404) => Promise.reject(Object.assign(new Error('no'), { statusCode }))
    const docker = {
      listContainers: async ({ filters }: { filters: { label: [string] } }) => {
        const [, wanted] = filters.label[0].split('=')
        return [...nodes]
          .filter(([, cluster]) => wanted === undefined || cluster === wanted)
          .map(([Id, cluster]) => ({ Id, Names: [`/${Id}`], Labels: { 'io.x-k8s.kind.cluster': cluster } }))
      },
      getContainer: (id: string) => ({
        inspect: () => (nodes.has(id) ? Promise.resolve() : gone()),
        remove: (options: unknown) => {
          expect(options).toEqual({ v: true, force: true })
          if (!refused.has(id)) return (refused.add(id), gone(500))
          return Promise.resolve(nodes.delete(id))
        },
      }),
    } as unknown as Docker
    return { docker, nodes }
  }
  const [mine, other] = [clusterName(runId, 'kind/cilium'), 'mb-2026-11-21t10-00-00-ef0123--reference']

  it('are found by their nodes, whether there is a kind or not, and those of others are not', async () => {
    const { docker } = engineWith(mine, 'somebodys', other)
    const namesOf = async (id?: string) => (await findClusters(docker, id)).map(({ name }) => name)
    expect(await namesOf()).toEqual([other, mine].sort())
    expect(await namesOf(runId)).toEqual([mine])
    const [found] = await findClusters(docker, runId)
    expect([found?.runId, found?.nodes.length]).toEqual([runId, 2])
  })

  it('are taken away with a node that the engine makes after kind was ended', async () => {
    const { docker, nodes } = engineWith()
    await withScope('r', async (scope) => {
      const common = { kind: 'false', docker, config: '', timeoutMs: 1_000, keep: true, scope }
      await expect(createCluster({ ...common, name: mine })).rejects.toThrow('could not create the cluster')
      // As its end looks for nodes for the first time, there is none yet.
      setTimeout(() => nodes.set(`${mine}-worker`, mine), 500)
    })
    expect([...nodes]).toEqual([])
  })

  it('go node by node, also where the engine is busy at first', async () => {
    const { docker, nodes } = engineWith(mine, other)
    await deleteCluster(docker, mine)
    expect([...new Set(nodes.values())]).toEqual([other])
  })
})

describe('preflight', () => {
  const good = { inotify: { max_user_watches: 524_288, max_user_instances: 512 }, availableMib: 16_000 }

  it('passes a host that is set up', () => {
    expect(checkHostFacts(good, { nodes: 4, pods: 20 })).toEqual([])
  })

  it('names every limit at once, with the command that lifts it', () => {
    const unmet = checkHostFacts(
      { inotify: { max_user_watches: 8192, max_user_instances: 128 }, availableMib: 1000 },
      { nodes: 4, pods: 20 },
    )
    expect(unmet.map(({ remedy }) => remedy)).toEqual([
      'sudo sysctl -w fs.inotify.max_user_watches=524288',
      'sudo sysctl -w fs.inotify.max_user_instances=512',
      expect.stringContaining('free memory'),
    ])
  })

  it('asks nothing of settings that the host does not have', () => {
    expect(checkHostFacts({ ...good, inotify: {} }, { nodes: 4, pods: 20 })).toEqual([])
  })
})

describe('the image of the nodes', () => {
  const wish = { cgroup: 'v1', mirrors: {}, pullCommand: 'meshbench pull' } as const
  const engineWith = (known: readonly string[]) =>
    ({
      getImage: (name: string) => ({
        inspect: async () => (known.includes(name) ? {} : Promise.reject(new Error('no such image'))),
      }),
    }) as never

  it('is missed, with where it was looked for, when its registry cannot be reached', async () => {
    const asked: string[] = []
    const isReachable = async (url: string) => asked.push(url) === 0
    const [unmet] = await checkNodeImage(
      { ...wish, nodeImage: 'kindest/node:x' },
      engineWith([]),
      isReachable,
    )
    expect(unmet?.need).toContain('kindest/node:x')
    expect(unmet?.remedy).toContain('platformSettings.kind.nodeImage')
    const mirrors = { 'docker.io': 'mirror.example:5000/hub' }
    await checkNodeImage({ ...wish, mirrors }, undefined, isReachable)
    expect(asked).toEqual(['https://registry-1.docker.io/v2/', 'https://mirror.example:5000/v2/'])
  })

  it('is not missed when the engine has it, by digest or by its tag alone', async () => {
    const pinned = nodeImageFor('v1')
    for (const name of [pinnedReference(pinned), pinned.reference])
      expect(await checkNodeImage(wish, engineWith([name]), async () => false)).toEqual([])
  })
})

describe('a kept cluster', () => {
  it('is used again with the network that it was made with alone', async () => {
    const namesOf = (...names: string[]) => ({
      run: async () => names.map((name) => `daemonset.apps/${name}\n`).join(''),
    })
    const [own, brought] = [
      { defaultCni: true, kubeProxy: true },
      { defaultCni: false, kubeProxy: false },
    ]
    expect(await hasNetwork(namesOf('kindnet', 'kube-proxy', 'ztunnel'), own)).toBe(true)
    expect(await hasNetwork(namesOf('kindnet', 'kube-proxy'), brought)).toBe(false)
    expect(await hasNetwork(namesOf('cilium', 'cilium-envoy'), brought)).toBe(true)
    expect(await hasNetwork(namesOf('cilium', 'cilium-envoy'), own)).toBe(false)
    // Of a run that was interrupted before it had installed any.
    expect(await hasNetwork(namesOf(), brought)).toBe(true)
  })

  it('is given only the images that a node of it lacks', async () => {
    const had = recordedText('images.txt')
    const lists: Record<string, string> = { a: had, b: had.replace(/^.*meshbench\/proxy.*\n/m, '') }
    const references = ['meshbench/echo:5f4a9eaee6049312', 'meshbench/proxy:e4f5ab2c76cd7cfd']
    const missing = await missingImages(async (node) => lists[node] ?? '', ['a', 'b'], references)
    expect(missing).toEqual(['meshbench/proxy:e4f5ab2c76cd7cfd'])
  })
})

describe('the control plane', () => {
  const failing = (tail: string) => ({
    run: ([program = '']: readonly string[]) =>
      Promise.reject(new CommandError([program], { code: 1, signal: null, tail })),
  })

  it('may have lost its taint before, and takes what is pinned nowhere in any case, or says why not', async () => {
    // As kubectl says it, a line for each node.
    await placeUnpinned(failing('taint "node-role.kubernetes.io/master" not found\n'.repeat(4)))
    const busy = failing('Unable to connect to the server: net/http: TLS handshake timeout\n')
    await expect(placeUnpinned(busy)).rejects.toThrow('exited with code 1')
  })
})

describe('tools', () => {
  const bare = { cacheDir: '/nonexistent', find: async () => undefined }

  it('are missing with a remedy each, on a host without network', async () => {
    const unmet = await checkTools({
      ...bare,
      names: ['kind', 'kubectl', 'helm'],
      isReachable: async () => false,
    })
    expect(unmet.map(({ need }) => need.split(' ')[0])).toEqual(['kind', 'kubectl', 'helm'])
    for (const { remedy } of unmet) expect(remedy).toMatch(/install/)
  })

  it('are not missed when they can be downloaded', async () => {
    expect(await checkTools({ ...bare, names: ['kind'], isReachable: async () => true })).toEqual([])
  })

  it('are not taken from the PATH where they are a major version ahead', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshbench-tools-'))
    try {
      const helm = await fakeProgram(folder, 'helm', 'echo v4.0.1+g12500dd')
      const [unmet] = await checkTools({
        ...bare,
        names: ['helm'],
        find: async () => helm,
        isReachable: async () => false,
      })
      expect(unmet?.found).toMatch(/^v4\.0\.1 on the PATH, a major version ahead/)
      await fakeProgram(folder, 'helm', 'echo v3.19.0+g3d8990f')
      expect(await checkTools({ ...bare, names: ['helm'], find: async () => helm })).toEqual([])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('come out of their archive, where they are published in one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshbench-tools-'))
    try {
      await mkdir(join(folder, 'linux-amd64'))
      await writeFile(join(folder, 'linux-amd64/helm'), '#!/bin/sh\n')
      await run(['tar', '-czf', join(folder, 'helm.tgz'), '-C', folder, 'linux-amd64/helm'])
      const program = await unpacked(join(folder, 'helm.tgz'), 'linux-amd64/helm')
      expect(await readFile(program, 'utf8')).toBe('#!/bin/sh\n')
      // Another process may be running it: an archive that ends too early leaves it as it was, and nothing beside it.
      await writeFile(join(folder, 'helm.tgz'), 'not an archive')
      await expect(unpacked(join(folder, 'helm.tgz'), 'linux-amd64/helm')).rejects.toThrow('tar')
      const noise = randomBytes(1 << 20)
      await writeFile(join(folder, 'linux-amd64/helm'), noise)
      await run(['tar', '-czf', join(folder, 'helm.tgz'), '-C', folder, 'linux-amd64/helm'])
      await truncate(join(folder, 'helm.tgz'), 1 << 19)
      await expect(unpacked(join(folder, 'helm.tgz'), 'linux-amd64/helm')).rejects.toThrow('tar')
      expect(await readFile(program, 'utf8')).toBe('#!/bin/sh\n')
      expect((await readdir(folder)).sort()).toEqual(['helm.tgz', 'helm.tgz.unpacked', 'linux-amd64'])
      expect(await unpacked('/x/kind', undefined)).toBe('/x/kind')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('are made executable once, so that a cache may be another user’s', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshbench-tools-'))
    try {
      const program = join(folder, 'kind')
      await writeFile(program, '#!/bin/sh\n')
      await makeExecutable(program)
      const { mode, ctimeMs } = await stat(program)
      expect(mode & 0o111).toBe(0o111)
      await sleep(20)
      await makeExecutable(program)
      expect((await stat(program)).ctimeMs).toBe(ctimeMs)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('are named after the host', () => {
    expect(hostPlatform('linux', 'x64')).toBe('linux/amd64')
    expect(hostPlatform('win32', 'x64')).toBeUndefined()
  })
})
