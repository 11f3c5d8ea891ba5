/** An Istio that was there before the run: found, used as it is, told, and left as it was. */
import { describe, expect, test } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import { benchObjects, commandsOf, meshContext, readTestdata, testArm } from '../clusters/testing.js'
import { transcriptCluster } from '../testdata/transcript-cluster.js'
import { istioSettings } from './settings.js'
import { onInstalled } from './installed.js'
import { istioSidecar } from './istio.js'
import { ambientManifests, sidecarIngressShape, sidecarShape } from './manifests.js'
import { testRequest } from '../../../harness/testing/request.js'

const { 'l7-sidecar-to-sidecar': l7SidecarToSidecar } = paths

interface Deployment {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly status: object
}
/** The Deployment of a default installation, as another revision's, or not ready. */
const istiod = (revision: string, readyReplicas: number) => {
  const { items } = JSON.parse(readTestdata('istio/istiod.json')) as { items: readonly [Deployment] }
  const [{ metadata, status, ...deployment }] = items
  return {
    ...deployment,
    metadata: {
      ...metadata,
      name: revision === 'default' ? 'istiod' : `istiod-${revision}`,
      labels: { ...metadata.labels, 'istio.io/rev': revision },
    },
    status: { ...status, readyReplicas },
  }
}
const meshConfig = readTestdata('istio/mesh-config.yaml')
const arm = testArm('istio-sidecar', 'l7-sidecar-to-sidecar')

function installOn(found: readonly object[], installed: object) {
  const cluster = transcriptCluster(
    [
      `$* kubectl get deployments -n istio-system -l app=istiod -o json\n${JSON.stringify({ items: found })}`,
      '$ kubectl get configmap istio-canary -n istio-system -o jsonpath={.data.mesh}\n' + meshConfig,
      '$* kubectl apply --server-side -f -',
      '$* kubectl get service server *\n10.96.0.10',
      '',
    ].join('\n'),
    { isOwn: false },
  )
  const undone: string[] = []
  const scope = { defer: (title: string) => void undone.push(title) }
  const context = meshContext(cluster, arm.mesh, [arm], { settings: { installed }, scope })
  return { cluster, undone, session: istioSidecar.install(context) }
}

test('is used as it is, and told', async () => {
  const { cluster, undone, session } = installOn([istiod('default', 1), istiod('canary', 1)], {
    revision: 'canary',
  })
  const established = await session
  const { facts } = established
  expect(facts).toContainEqual({
    name: 'istio-sidecar version',
    value: expect.stringMatching(
      /^docker\.io\/istio\/pilot:1\.31\.1, revision canary, there already, on Kubernetes/,
    ) as string,
  })
  expect(facts).toContainEqual({ name: 'istio-sidecar mesh config', value: meshConfig })
  await established.raise(arm, l7SidecarToSidecar)
  expect(cluster.shapes.get(arm.id)?.namespace?.labels).toEqual({ 'istio.io/rev': 'canary' })
  expect(undone).toEqual([])
  expect(commandsOf(cluster).filter((command) => /^helm|delete/.test(command))).toEqual([])
})

test.each([
  [[], /no istiod of the revision canary is ready in istio-system: there is none/],
  [[istiod('default', 1)], /there is revisions default/],
  [[istiod('canary', 0)], /there is one that is not ready/],
])('that is not there is refused before anything else: %#', async (found, message) => {
  const { cluster, session } = installOn(found, { revision: 'canary' })
  await expect(session).rejects.toThrow(message)
  expect(cluster.commands).toHaveLength(1)
})

describe('needs', () => {
  test('nothing to download, and no leave to change the cluster', async () => {
    expect(istioSidecar.downloads?.([], { installed: {} })).toEqual({})
    const config = { meshSettings: { 'istio-sidecar': { installed: {} } } }
    const request = testRequest({ config })
    expect(await istioSidecar.check(request, { offers: ['cluster'] })).toEqual([])
    const [unmet] = await istioSidecar.check(request, { offers: ['cluster', 'new-cluster'] })
    expect(unmet?.need).toBe('istio-sidecar: a cluster that Istio is on already')
  })
  test('no values of Cilium where it is not the network', () => {
    const values = { cilium: { bpf: {} } }
    expect(istioSettings.ambient.safeParse({ values }).error?.message).toMatch(/Cilium is installed where/)
    expect(istioSettings.ambient.safeParse({ cni: 'cilium', values }).success).toBe(true)
  })
  test('no values, since there is no chart to give them to', () => {
    const given = { installed: {}, values: { istiod: {} } }
    expect(istioSettings.sidecar.safeParse(given).error?.message).toMatch(/nothing is installed where/)
  })
})

test('pods and gateways ask for the revision, and gateways for the counters that proofs need', () => {
  const { shape, manifests } = onInstalled(
    { revision: 'canary' },
    sidecarIngressShape(),
    ambientManifests(true, benchObjects),
  )
  expect(shape.serverPod?.labels).toEqual({ 'sidecar.istio.io/inject': 'true', 'istio.io/rev': 'canary' })
  const gateway = manifests.find(({ kind }) => kind === 'Gateway')
  expect(gateway?.metadata.labels).toEqual({ 'istio.io/waypoint-for': 'service', 'istio.io/rev': 'canary' })
  expect(JSON.stringify(gateway?.spec)).toContain('proxyStatsMatcher')
  expect(onInstalled({}, sidecarShape('l7'), []).shape).toEqual(sidecarShape('l7'))
})
