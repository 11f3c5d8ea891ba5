import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openScope } from '../../../harness/process/scope.js'
import type { Arm, Hop, Workload } from '../../../harness/model.js'
import { paths as byName } from '../../../scenarios/paths/index.js'
import type { Pod } from './api/pods.js'
import { createKubeHost } from './host.js'
import type { KubeHostOptions } from './host-options.js'
import type { Manifest } from './render/manifests.js'
import { testRequest } from '../../../harness/testing/request.js'

const paths = Object.values(byName)
const nodes = { client: 'n1', server: 'n2', waypoint: 'n3', 'control-plane': 'n0' }

/** A cluster on which every pod is ready as soon as its workload is applied. */
function instantCluster() {
  const applied: Manifest[] = []
  const log: string[] = []
  const pods: Pod[] = []
  const apply = async (manifests: readonly Manifest[]) => {
    for (const manifest of manifests) {
      const { kind, metadata, spec } = manifest as never as {
        kind: string
        metadata: { name: string; namespace: string }
        spec?: {
          replicas?: number
          template?: {
            metadata: Pod['metadata']
            spec: { nodeSelector: Record<string, string>; containers: { name: string }[] }
          }
        }
      }
      applied.push(manifest)
      log.push(`apply ${kind} ${metadata.namespace ?? ''}/${metadata.name}`)
      const template = spec?.template
      if (!template) continue
      const names = template.spec.containers.map(({ name }) => name)
      log.push(`pod ${metadata.namespace}/${metadata.name} of ${names.join(', ')}`)
      const nodeName = template.spec.nodeSelector['kubernetes.io/hostname'] ?? ''
      for (let index = 0; index < (spec.replicas ?? 1); index++) {
        pods.push({
          metadata: {
            ...template.metadata,
            name: `${metadata.name}-${index}`,
            namespace: metadata.namespace,
            uid: `${pods.length}`,
          },
          spec: { nodeName },
          status: {
            podIP: `10.0.0.${pods.length + 1}`,
            conditions: [{ type: 'Ready', status: 'True' }],
            containerStatuses: template.spec.containers.map(({ name }) => ({
              name,
              ready: true,
              state: { running: {} },
            })),
          },
        })
      }
    }
  }
  const label = (pod: Pod, selector: string) => {
    const [key = '', value] = selector.split('=')
    return pod.metadata.labels?.[key] === value
  }
  const options = {
    kubectl: {
      apply,
      run: async (args: readonly string[]) => {
        log.push(`kubectl ${args.slice(0, 3).join(' ')}`)
        return args[0] === 'exec' ? 'said' : ''
      },
    },
    proxy: {
      json: async (path: string) => ({
        metadata: {},
        spec: { clusterIP: `ip of ${path.split('/').slice(-3).join('/')}` },
      }),
      async delete(path: string) {
        log.push(`delete ${path}`)
        const namespace = /\/namespaces\/([^/]+)\/pods/.exec(path)?.[1]
        const left = pods.filter(({ metadata }) => metadata.namespace !== namespace)
        pods.splice(0, pods.length, ...left)
      },
    },
    pods: {
      watch: async () => {},
      find: (namespace: string, selector: string) =>
        pods.filter((pod) => pod.metadata.namespace === namespace && label(pod, selector)),
      waitFor: async (title: string, condition: () => boolean) => {
        if (!condition()) throw new Error(`${title} is not ready`)
      },
    },
  }
  return { applied, log, options: options as never as Pick<KubeHostOptions, 'kubectl' | 'proxy' | 'pods'> }
}

async function hostOf(pathName: string, evidenceDir?: string) {
  const path = paths.find(({ name }) => name === pathName)
  if (!path) throw new Error(`no path ${pathName}`)
  const arm: Arm = {
    id: `reference/${path.name}`,
    mesh: 'reference',
    path: path.name,
    role: 'subject',
    environment: 'e',
    baseline: 'b',
  }
  const stateDir = await mkdtemp(join(tmpdir(), 'meshbench-test-'))
  const scope = openScope({
    ...{ runId: 'r1', stateDir, signal: new AbortController().signal },
    ...(evidenceDir === undefined ? {} : { evidenceDir }),
  })
  const cluster = instantCluster()
  const limits = { cpus: 1, memoryMib: 64 }
  const host = await createKubeHost({
    ...cluster.options,
    request: testRequest({ id: 'e', arms: [arm], paths }),
    scope,
    images: { echo: 'echo:1', tunnel: 'tunnel:1', proxy: 'proxy:1', loadgen: 'loadgen:1' },
    programImage: async ({ name }) => `${name}:1`,
    limits: { hop: limits, application: limits, generator: limits },
    generatorPods: 1,
    nodes,
    own: {
      ...{ name: 'c', isKept: true, loadedAs: new Map() },
      onNode: async () => '',
      nodeFailure: () => undefined,
      loadArchive: async () => {},
    },
    kubernetesVersion: '1.34.4',
    apiServer: { host: 'n0', port: 6443 },
    facts: [],
  })
  const close = async () => {
    const problems = await scope.close()
    await rm(stateDir, { recursive: true, force: true })
    return problems
  }
  const workload = (hop: Hop): Workload => ({
    component: {
      name: `${arm.id}/${hop.name}`,
      category: 'proxy',
      node: hop.node,
      arm: arm.id,
      hop: hop.name,
    } as never,
    program: { kind: 'image', image: 'proxy' },
    listeners: ['in', 'admin'],
    files: { 'key.pem': 'k' },
    config: () => ({ a: 1 }),
  })
  return { ...cluster, arm, path, host, workload, close }
}

describe('a host of a cluster', () => {
  it('makes the pod of an application once its inbound sidecar is there, with both in it', async () => {
    const { arm, path, host, workload, close, log } = await hostOf('l7-sidecar-to-sidecar')
    const promised = await host.startApplication(arm, path)
    expect(promised.endpoints.http).toEqual({ host: '127.0.0.1', port: 8080 })
    expect(log.filter((line) => line.includes('Deployment'))).not.toContainEqual(
      expect.stringContaining('server'),
    )
    for (const hop of [...path.hops].reverse()) await host.deploy(workload(hop))
    const pods = log.filter((line) => line.startsWith('pod mb-reference'))
    expect(pods.sort()).toEqual([
      'pod mb-reference-l7-sidecar-to-sidecar/client of client, client-sidecar',
      'pod mb-reference-l7-sidecar-to-sidecar/server of echo, server-sidecar',
    ])
    expect(await close()).toEqual([])
  })

  it('refuses a shape that comes after the namespace', async () => {
    const { arm, path, host, close } = await hostOf('baseline')
    await host.startApplication(arm, path)
    expect(() => host.cluster.shapeArm(arm, {})).toThrow('too late')
    await close()
  })

  it('takes an arm down whose evidence cannot be kept, and says so', async () => {
    // No folder can be made below a file.
    const evidenceDir = join(import.meta.dirname, 'host.test.ts', 'diagnostics')
    const { arm, path, host, close, log } = await hostOf('baseline', evidenceDir)
    await host.startApplication(arm, path)
    await expect(host.takeDown?.(arm)).rejects.toThrow('ENOTDIR')
    expect(log).toContain('delete /api/v1/namespaces/mb-reference-baseline')
    await close()
  })

  it('removes a stranger before anything is measured, and every namespace at the end', async () => {
    const { arm, host, close, log } = await hostOf('baseline')
    await host.cluster.ensureNamespace(arm)
    expect(await host.cluster.runAsStranger(arm, ['node'])).toBe('said')
    expect(log.at(-1)).toBe('kubectl delete deployment stranger')
    expect(await close()).toEqual([])
    expect(log).toContain('delete /api/v1/namespaces/mb-reference-baseline')
  })
})
