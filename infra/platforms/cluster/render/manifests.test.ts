import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { echoWorkload } from '../../kit/units.js'
import {
  namespaceManifest,
  serviceAccountManifest,
  serviceManifest,
  workloadManifest,
  type WorkloadTemplate,
} from './manifests.js'
import { renderWorkload } from './templates.js'

const limits = { cpus: 2, memoryMib: 1024 }

/** A sidecar with credentials beside the application: the richest pod that is made. */
function serverPod(): { objects: readonly unknown[]; workload: WorkloadTemplate } {
  const shared = { namespace: 'mb-arm', runId: 'run-1', limits }
  const echo = renderWorkload({
    ...shared,
    image: 'meshbench/echo:1',
    workload: echoWorkload,
    name: 'echo',
    firstPort: 8080,
  })
  const sidecar = renderWorkload({
    ...shared,
    image: 'meshbench/proxy:1',
    name: 'server-sidecar',
    firstPort: 15_001,
    workload: {
      component: { name: 'reference/l7/server-sidecar', category: 'l7', node: 'server' },
      program: { kind: 'image', image: 'proxy' },
      listeners: ['downstream', 'admin'],
      files: { 'key.pem': 'KEY' },
      config: ({ bindHost, ports, file }) => ({ bindHost, ports, keyFile: file('key.pem') }),
    },
  })
  return {
    objects: [...echo.objects, ...sidecar.objects],
    workload: {
      kind: 'Deployment',
      name: 'server',
      namespace: 'mb-arm',
      runId: 'run-1',
      node: 'server',
      component: 'server',
      labels: { app: 'server' },
      marks: { annotations: { 'example.io/inject': 'false' } },
      serviceAccount: 'server',
      containers: [echo.container, sidecar.container],
      volumes: [...echo.volumes, ...sidecar.volumes],
      nodeSelector: { 'kubernetes.io/hostname': 'worker2' },
      imagePullPolicy: 'Never',
    },
  }
}

describe('manifests', () => {
  it('are as reviewed', async () => {
    const { objects, workload } = serverPod()
    const all = [
      namespaceManifest(
        'mb-arm',
        { runId: 'run-1', machine: 'host-1' },
        { labels: { 'istio-injection': 'enabled' } },
      ),
      serviceAccountManifest('server', 'mb-arm', 'run-1'),
      ...objects,
      workloadManifest(workload),
      workloadManifest({
        ...workload,
        kind: 'DaemonSet',
        name: 'client-tunnel',
        component: 'client-tunnel',
        node: 'client',
        nodeSelector: { 'kubernetes.io/hostname': 'worker' },
      }),
      serviceManifest({
        name: 'server',
        namespace: 'mb-arm',
        runId: 'run-1',
        selector: { app: 'server' },
        ports: [{ name: 'http', port: 8080, targetPort: 8080, appProtocol: 'http' }],
      }),
    ]
    // Each document by itself: anchors between them would not survive being cut apart.
    const text = all.map((object) => stringify(object, { aliasDuplicateObjects: false })).join('---\n')
    await expect(text).toMatchFileSnapshot('testdata/arm.yaml')
  })

  it('keeps credentials out of ConfigMaps and pods', () => {
    const { objects, workload } = serverPod()
    const open = [
      ...objects.filter((object) => (object as { kind: string }).kind !== 'Secret'),
      workloadManifest(workload),
    ]
    expect(JSON.stringify(open)).not.toContain('KEY')
    expect(JSON.stringify(objects)).toContain('KEY')
  })

  it('never gives two ports of a pod one name, nor one that is too long', () => {
    const names = serverPod().workload.containers.flatMap(({ ports }) => Object.keys(ports))
    expect(new Set(names).size).toBe(names.length)
    expect(names.every((name) => name.length <= 15 && /^[a-z0-9]/.test(name))).toBe(true)
  })
})
