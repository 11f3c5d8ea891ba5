/** Core objects as a cluster gets them for every shape that a mesh asks for, in the namespace `default`. */
import { run } from '../../../harness/process/exec.js'
import { toYaml } from '../hops/yaml.js'
import { namespaceManifest, serviceManifest, workloadManifest } from '../../platforms/cluster/render/manifests.js'
import type { ArmShape } from '../../../harness/model/cluster-access.js'
import { ciliumShape } from '../cilium/manifests.js'
import { ambientShape, sidecarIngressShape, sidecarShape } from '../istio/manifests.js'
import { defined } from '../../../harness/model/defined.js'

const runId = 'dry-run'

export const shapes: Readonly<Record<string, ArmShape>> = {
  'istio-sidecar-l7': sidecarShape('l7'),
  'istio-sidecar-l4': sidecarShape('l4'),
  'istio-sidecar-ingress': sidecarIngressShape(),
  'istio-ambient-l4': ambientShape(false),
  'istio-ambient-l7': ambientShape(true),
  'cilium-kernel': ciliumShape('l4-kernel'),
  'cilium-ztunnel': ciliumShape('l4-ztunnel'),
}

export function coreObjects(name: string, shape: ArmShape): readonly object[] {
  const namespace = 'default'
  const { appProtocol } = shape.service ?? {}
  return [
    namespaceManifest(`mb-dry-${name}`, { runId, machine: 'dry' }, shape.namespace),
    serviceManifest({
      name: `mb-dry-${name}`,
      namespace,
      runId,
      selector: { app: 'server' },
      ports: [{ name: 'http', port: 8080, targetPort: 8080, ...defined({ appProtocol }) }],
      ...defined({ marks: shape.service }),
    }),
    workloadManifest({
      kind: 'Deployment',
      name: `mb-dry-${name}`,
      namespace,
      runId,
      component: 'server',
      node: 'server',
      labels: { app: 'server' },
      serviceAccount: 'default',
      imagePullPolicy: 'Never',
    nodeSelector: {},
      containers: [
        {
          name: 'echo',
          image: 'meshbench/echo:dry-run',
          command: ['node'],
          ports: { http: 8080 },
          limits: { cpus: 1, memoryMib: 128 },
          mounts: {},
        },
      ],
      volumes: [],
      ...defined({ marks: shape.serverPod }),
    }),
  ]
}

/** What kubectl says of objects that it only shows to the API server. Throws `CommandError` when one is refused. */
export async function serverDryRun(kubeconfig: string, documents: readonly object[]): Promise<string> {
  const { stdout } = await run(
    ['kubectl', '--kubeconfig', kubeconfig, 'apply', '--dry-run=server', '-f', '-'],
    { input: toYaml(documents), timeoutMs: 60_000 },
  )
  return stdout
}
