/** Renders what a run puts on a cluster, purely, so that every object can be read in a test before it is applied. */
import type { ObjectMarks } from '../../../../harness/model/cluster-access.js'
import type { NodeRole } from '../../../../harness/model.js'
import type { Limits } from '../../kit/settings.js'
import { componentLabel, machineLabel, roleLabel, runLabel } from './names.js'
import { defined } from '../../../../harness/model/defined.js'

export type Manifest = Readonly<Record<string, unknown>>

export interface ContainerTemplate {
  readonly name: string
  readonly image: string
  readonly command: readonly string[]
  readonly ports: Readonly<Record<string, number>>
  /** Where it answers 200 when it is ready; without it the container counts as ready when it runs. */
  readonly ready?: { readonly port: number; readonly path: string }
  readonly limits: Limits
  readonly mounts: Readonly<Record<string, string>>
}

export interface VolumeTemplate {
  readonly name: string
  readonly kind: 'secret' | 'configMap'
  readonly source: string
}

export interface WorkloadTemplate {
  readonly kind: 'Deployment' | 'DaemonSet'
  readonly name: string
  readonly namespace: string
  readonly runId: string
  readonly node: NodeRole
  /** Label that names it, beside those of `marks`. */
  readonly component: string
  readonly labels?: Readonly<Record<string, string>>
  readonly marks?: ObjectMarks
  readonly serviceAccount: string
  readonly hostNetwork?: boolean
  /** Pods of a Deployment; default 1. */
  readonly replicas?: number
  readonly containers: readonly ContainerTemplate[]
  readonly volumes: readonly VolumeTemplate[]
  readonly nodeSelector: Readonly<Record<string, string>>
  /** `IfNotPresent` where images are pulled; `Never` where they were loaded, so that a missing one shows at once. */
  readonly imagePullPolicy: 'Never' | 'IfNotPresent'
}

/** The unprivileged user of the images. */
const userId = 65532

export function namespaceManifest(
  name: string,
  { runId, machine }: { readonly runId: string; readonly machine: string },
  marks: ObjectMarks = {},
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, ...marksOf({ [runLabel]: runId, [machineLabel]: machine }, marks) },
  }
}

const ofRun = (kind: string, name: string, namespace: string, runId: string): Manifest => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace, labels: { [runLabel]: runId } },
})

export function serviceAccountManifest(name: string, namespace: string, runId: string): Manifest {
  return { ...ofRun('ServiceAccount', name, namespace, runId), automountServiceAccountToken: false }
}

type Texts = Readonly<Record<string, string>>

export function configMapManifest(name: string, namespace: string, runId: string, data: Texts): Manifest {
  return { ...ofRun('ConfigMap', name, namespace, runId), data }
}

export function secretManifest(name: string, namespace: string, runId: string, stringData: Texts): Manifest {
  return { ...ofRun('Secret', name, namespace, runId), type: 'Opaque', stringData }
}

export interface ServiceTemplate {
  readonly name: string
  readonly namespace: string
  readonly runId: string
  readonly selector: Readonly<Record<string, string>>
  readonly ports: readonly {
    readonly name: string
    readonly port: number
    readonly targetPort: number
    readonly appProtocol?: string
  }[]
  readonly marks?: ObjectMarks
}

export function serviceManifest(service: ServiceTemplate): Manifest {
  const { name, namespace, runId, selector, ports, marks } = service
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, ...marksOf({ [runLabel]: runId }, marks) },
    spec: { type: 'ClusterIP', selector, ports },
  }
}

export function workloadManifest(workload: WorkloadTemplate): Manifest {
  const { kind, name, namespace, runId, component } = workload
  const selector = { [componentLabel]: component }
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace, labels: { [runLabel]: runId } },
    spec: {
      ...(kind === 'Deployment' ? { replicas: workload.replicas ?? 1, strategy: { type: 'Recreate' } } : {}),
      selector: { matchLabels: selector },
      template: {
        metadata: marksOf({ [runLabel]: runId, ...selector, ...workload.labels }, workload.marks),
        spec: podSpec(workload),
      },
    },
  }
}

function podSpec(workload: WorkloadTemplate): Manifest {
  return {
    serviceAccountName: workload.serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 5,
    ...(workload.hostNetwork ? { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' } : {}),
    nodeSelector: workload.nodeSelector,
    tolerations: [{ key: roleLabel, operator: 'Equal', value: workload.node, effect: 'NoSchedule' }],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: userId,
      runAsGroup: userId,
      fsGroup: userId,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: workload.containers.map((container) => containerSpec(container, workload.imagePullPolicy)),
    volumes: [
      { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
      ...workload.volumes.map(({ name, kind, source }) =>
        kind === 'secret'
          ? { name, secret: { secretName: source, defaultMode: 0o440 } }
          : { name, configMap: { name: source } },
      ),
    ],
  }
}

function containerSpec(container: ContainerTemplate, imagePullPolicy: string): Manifest {
  const { name, image, command, ports, ready, limits, mounts } = container
  return {
    name,
    image,
    imagePullPolicy,
    command,
    ports: Object.entries(ports).map(([portName, containerPort]) => ({ name: portName, containerPort })),
    resources: {
      // Requests only place the pod; nodes of one machine share its CPUs, so they stay small.
      requests: { cpu: '10m', memory: '64Mi' },
      limits: { cpu: `${Math.round(limits.cpus * 1000)}m`, memory: `${limits.memoryMib}Mi` },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    // Probed until it has started and never again: probes during a trial would be on the bill.
    ...(ready === undefined
      ? {}
      : { startupProbe: { httpGet: ready, periodSeconds: 1, failureThreshold: 60 } }),
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      ...Object.entries(mounts).map(([volume, mountPath]) => ({ name: volume, mountPath, readOnly: true })),
    ],
  }
}

function marksOf(labels: Readonly<Record<string, string>>, marks: ObjectMarks = {}): Manifest {
  return {
    labels: { ...labels, ...marks.labels },
    ...defined({ annotations: marks.annotations }),
  }
}
