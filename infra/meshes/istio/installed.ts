/** An Istio that is on the cluster already: used as it is, neither installed nor removed, and told in the report. */
import { istio } from '../../supply/versions.js'
import type { ArmShape, ClusterAccess } from '../../../harness/model/cluster-access.js'
import type { Fact, Platform, Unmet } from '../../../harness/model.js'
import { MeshInstallError } from '../clusters/install-errors.js'
import { kubernetesStep, type Step } from '../hops/steps.js'
import type { Manifest } from '../hops/yaml.js'
import { istioNamespace, proxyConfig, type IstioMode } from './values.js'
import { defined } from '../../../harness/model/defined.js'

export interface Installed {
  /** Label `istio.io/rev` of its istiod; absent: the default one, which has none or `default`. */
  readonly revision?: string | undefined
}

/** A cluster that a run makes has none. */
export function checkInstalled(
  mesh: string,
  installed: Installed | undefined,
  { offers }: Pick<Platform, 'offers'>,
): readonly Unmet[] {
  if (!installed || !offers.includes('new-cluster')) return []
  return [
    {
      need: `${mesh}: a cluster that Istio is on already`,
      found: 'one that the run makes',
      remedy: `use --platform kubernetes, or leave meshSettings.${mesh}.installed out`,
    },
  ]
}

interface Workload {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } }
  }
  readonly status: { readonly readyReplicas?: number; readonly numberReady?: number }
}

/** Steps in the place of an installation: what the arms need must be there and ready. */
export function foundSteps(mode: IstioMode, installed: Installed): readonly Step[] {
  return [
    kubernetesStep(`Istio ${istio.version}`, istio.minKubernetesMinor),
    {
      title: 'the Istio that is there',
      async run({ mesh, cluster }) {
        await findReady(cluster, mesh, 'istiod', installed)
        if (mode === 'ambient') await findReady(cluster, mesh, 'ztunnel', installed)
      },
    },
  ]
}

async function findReady(
  { kubectl }: Pick<ClusterAccess, 'kubectl'>,
  mesh: string,
  app: 'istiod' | 'ztunnel',
  { revision }: Installed,
): Promise<Workload> {
  const kind = app === 'istiod' ? 'deployments' : 'daemonsets'
  const text = await kubectl(['get', kind, '-n', istioNamespace, '-l', `app=${app}`, '-o', 'json'])
  const all = (JSON.parse(text) as { items: readonly Workload[] }).items
  const revisionOf = ({ metadata }: Workload) => metadata.labels?.['istio.io/rev'] ?? 'default'
  // A ztunnel serves every revision.
  const found = all.filter(
    (workload) => app === 'ztunnel' || revisionOf(workload) === (revision ?? 'default'),
  )
  const ready = found.find(({ status }) => (status.readyReplicas ?? status.numberReady ?? 0) > 0)
  if (ready) return ready
  const others = all.map(revisionOf)
  const there =
    found.length > 0 ? 'one that is not ready' : others.length > 0 ? `revisions ${others.join(', ')}` : 'none'
  throw new MeshInstallError(
    `${mesh}: no ${app}${revision === undefined ? '' : ` of the revision ${revision}`} is ready in ${istioNamespace}: there is ${there}`,
    {
      hint: `Name its revision in meshSettings.${mesh}.installed, or leave that out, and the run installs its own.`,
      detail: text.slice(0, 2_000),
      cause: undefined,
    },
  )
}

/** Version and configuration of what is there, as it says itself. */
export async function installedFacts(
  cluster: Pick<ClusterAccess, 'kubectl' | 'kubernetesVersion'>,
  mesh: string,
  installed: Installed,
): Promise<readonly Fact[]> {
  const istiod = await findReady(cluster, mesh, 'istiod', installed)
  const image = istiod.spec.template.spec.containers[0]?.image ?? 'unknown'
  const { revision } = installed
  const name = revision === undefined || revision === 'default' ? 'istio' : `istio-${revision}`
  const config = await cluster
    .kubectl(['get', 'configmap', name, '-n', istioNamespace, '-o', 'jsonpath={.data.mesh}'])
    .catch(() => '')
  const of = revision === undefined ? '' : `, revision ${revision}`
  return [
    {
      name: `${mesh} version`,
      value: `${image}${of}, there already, on Kubernetes ${cluster.kubernetesVersion}`,
    },
    ...(config.trim() === '' ? [] : [{ name: `${mesh} mesh config`, value: config.trim() }]),
    {
      name: `${mesh} sizing`,
      value:
        'sidecars as every mesh gets them; istiod, ztunnels, waypoints and gateways as the installation has them',
    },
  ]
}

const revisionLabel = 'istio.io/rev'

/** An arm of that installation: injected by its revision, and with the counters that proofs need. */
export function onInstalled(
  { revision }: Installed,
  shape: ArmShape,
  manifests: readonly Manifest[],
): { shape: ArmShape; manifests: readonly Manifest[] } {
  const mark = revision === undefined ? {} : { [revisionLabel]: revision }
  const { 'istio-injection': injects, ...labels } = shape.namespace?.labels ?? {}
  const namespace =
    injects === undefined || revision === undefined
      ? shape.namespace
      : { ...shape.namespace, labels: { ...labels, ...mark } }
  const { serverPod } = shape
  const marked = serverPod?.labels ? { ...serverPod, labels: { ...serverPod.labels, ...mark } } : serverPod
  return {
    shape: {
      ...shape,
      ...defined({ namespace, serverPod: marked }),
    },
    manifests: manifests.map((manifest) =>
      manifest.kind === 'Gateway' ? gatewayOf(manifest, mark) : manifest,
    ),
  }
}

function gatewayOf(manifest: Manifest, labels: Readonly<Record<string, string>>): Manifest {
  const { metadata } = manifest
  const spec = (manifest.spec ?? {}) as { readonly infrastructure?: object }
  const annotations = { 'proxy.istio.io/config': proxyConfig }
  return {
    ...manifest,
    metadata: { ...metadata, labels: { ...(metadata.labels as object | undefined), ...labels } },
    spec: { ...spec, infrastructure: { ...spec.infrastructure, annotations } },
  }
}
