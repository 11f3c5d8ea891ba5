/** Golden files of everything that is given to helm and to the API server. Regenerate with `vitest -u`, then review. */
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { Arm } from '../../../harness/model.js'
import { paths } from '../../../scenarios/paths/index.js'
import { benchObjects, golden } from '../clusters/testing.js'
import { hopLimits } from '../hops/hop-limits.js'
import { toYaml } from '../hops/yaml.js'
import { transcriptCluster } from '../testdata/transcript-cluster.js'
import { bindHop } from './hop.js'
import {
  ambientIngressShape,
  ambientManifests,
  ambientShape,
  ingressManifests,
  sidecarIngressShape,
  sidecarManifests,
  sidecarShape,
} from './manifests.js'
import { istiodValues, istioReleases, type IstioMode } from './values.js'

const nodes = { waypoint: 'meshbench-worker3', 'control-plane': 'meshbench-control-plane' }

describe.each(['sidecar', 'ambient'] as const)('Istio %s', (mode: IstioMode) => {
  test('Helm values', async () => {
    const releases = istioReleases({ mode, nodes })
    const text = releases
      .map(
        ({ release, chart, values }) => `# ${release}: ${chart.name} ${chart.version}\n${toYaml([values])}`,
      )
      .join('---\n')
    await expect(text).toMatchFileSnapshot(golden(`istio-${mode}-values.yaml`))
  })

  test.each([false, true])('manifests and shape (%s)', async (rich) => {
    const layer = rich ? 'l7' : 'l4'
    const [shape, manifests] =
      mode === 'sidecar'
        ? [sidecarShape(layer), sidecarManifests(layer, benchObjects)]
        : [ambientShape(rich), ambientManifests(rich, benchObjects)]
    const text = `# shape of namespace, pods and service\n${toYaml([shape])}---\n${toYaml(manifests)}`
    await expect(text).toMatchFileSnapshot(golden(`istio-${mode}-${rich ? 'l7' : 'l4'}.yaml`))
    expect(parseAllDocuments(text).every((document) => document.errors.length === 0)).toBe(true)
  })
})

test.each([
  ['sidecar', sidecarIngressShape()],
  ['ambient', ambientIngressShape()],
] as const)('manifests and shape of the way in from outside: %s', async (mode, shape) => {
  const manifests = ingressManifests(mode, benchObjects, nodes.waypoint)
  const text = `# shape of namespace, pods and service\n${toYaml([shape])}---\n${toYaml(manifests)}`
  await expect(text).toMatchFileSnapshot(golden(`istio-${mode}-ingress.yaml`))
  expect(parseAllDocuments(text).every((document) => document.errors.length === 0)).toBe(true)
  // Whoever is let in comes with the gateway's identity, and with no other.
  const policies = manifests.filter(({ kind }) => kind === 'AuthorizationPolicy')
  expect(toYaml(policies)).toContain('cluster.local/ns/bench/sa/gateway-istio')
  expect(toYaml(policies)).not.toMatch(/sa\/client/)
})

test('nothing but the server asks for a sidecar where the client is outside', () => {
  const { namespace, clientPod, serverPod } = sidecarIngressShape()
  expect(namespace).toBeUndefined()
  expect(clientPod).toBeUndefined()
  expect(serverPod?.labels).toEqual({ 'sidecar.istio.io/inject': 'true' })
})

test('a sidecar cluster knows nothing of the ambient profile, which would teach its sidecars HBONE', () => {
  const text = toYaml(istioReleases({ mode: 'sidecar', nodes }).map(({ values }) => values))
  expect(text).not.toMatch(/ambient|waypoint|HBONE/i)
})

test('retries, workers and connect timeout are the ones that every mesh gets', () => {
  const { meshConfig } = istiodValues({ mode: 'sidecar', nodes })
  const { proxyStatsMatcher } = meshConfig.defaultConfig
  expect(meshConfig).toEqual({
    defaultHttpRetryPolicy: { attempts: hopLimits.retries },
    connectTimeout: `${hopLimits.connectTimeoutMs / 1000}s`,
    defaultConfig: { concurrency: hopLimits.workers, proxyStatsMatcher },
  })
})

test("Envoy's counters that prove a path are kept, and no others", () => {
  const { inclusionRegexps } = istiodValues({ mode: 'sidecar', nodes }).meshConfig.defaultConfig
    .proxyStatsMatcher
  const isKept = (stat: string) => inclusionRegexps.some((pattern) => new RegExp(`^${pattern}$`).test(stat))
  const cluster = 'cluster.outbound|8080||server.bench.svc.cluster.local'
  for (const stat of [
    'upstream_rq_total',
    'upstream_cx_total',
    'upstream_cx_rx_bytes_total',
    'upstream_cx_tx_bytes_total',
    'ssl.handshake',
    'ssl.curves.X25519MLKEM768',
  ])
    expect(isKept(`${cluster}.${stat}`)).toBe(true)
  expect(isKept('cluster.inbound|8080||.upstream_rq_total')).toBe(true)
  // As istiod names it, and as older ones did.
  expect(isKept('cluster.connect_originate;.ssl.handshake')).toBe(true)
  expect(isKept('cluster.connect_originate.ssl.handshake')).toBe(true)
  expect(isKept('http.inbound_0.0.0.0_8080.rbac.allowed')).toBe(true)
  expect(isKept('listener.0.0.0.0_15006.ssl.ciphers.TLS_AES_256_GCM_SHA384')).toBe(true)
  for (const stat of ['membership_total', 'upstream_rq_time', 'upstream_cx_active', 'ssl.session_reused'])
    expect(isKept(`${cluster}.${stat}`)).toBe(false)
})

test.each([
  ['SIDECAR_OUTBOUND', sidecarManifests('l7', benchObjects, { curves: ['X25519'] })],
  ['GATEWAY', ingressManifests('sidecar', benchObjects, nodes.waypoint, { curves: ['X25519'] })],
])('curves are offered to the server alone: %s', async (context, manifests) => {
  const filters = manifests.filter(({ kind }) => kind === 'EnvoyFilter')
  await expect(toYaml(filters)).toMatchFileSnapshot(golden(`istio-curves-${context.toLowerCase()}.yaml`))
  expect(sidecarManifests('l7', benchObjects).some(({ kind }) => kind === 'EnvoyFilter')).toBe(false)
})

test('a telemetry that the installation has not is asked of no arm', () => {
  const kinds = (telemetry: boolean) =>
    sidecarManifests('l4', benchObjects, { telemetry }).map(({ kind }) => kind)
  expect(kinds(true)).toContain('Telemetry')
  expect(kinds(false)).not.toContain('Telemetry')
})

test('nothing is exempt from mutual TLS', () => {
  const text = toYaml([
    ...sidecarManifests('l7', benchObjects),
    ...ambientManifests(true, benchObjects),
    sidecarShape('l7'),
  ])
  expect(text).not.toMatch(/PERMISSIVE|DISABLE|exclude\w*Ports/)
  expect(text.match(/mode: STRICT/g)).toHaveLength(2)
})

test('behind a waypoint only the waypoint may reach the server, and only the client the waypoint', () => {
  const policies = ambientManifests(true, benchObjects).filter(({ kind }) => kind === 'AuthorizationPolicy')
  expect(policies.map(({ metadata }) => metadata.name)).toEqual(['server', 'waypoint'])
  expect(toYaml([policies[0] ?? {}])).toContain('cluster.local/ns/bench/sa/waypoint')
  expect(toYaml([policies[0] ?? {}])).not.toContain('sa/client')
  expect(toYaml([policies[1] ?? {}])).toContain('cluster.local/ns/bench/sa/client')
})

test('a script that acts on a spare ztunnel acts on that of a node which the path does not cross', () => {
  const stoodIn = (name: 'l4-only' | 'l4-l7-l4', which?: 'spare') => {
    const found: unknown[] = []
    const cluster = transcriptCluster('', { bind: (_, __, standIn) => void found.push(standIn?.nodeName) })
    const path = paths[name]
    const arm: Arm = {
      ...{ id: 'a', mesh: 'istio-ambient', path: name, role: 'subject', environment: 'e', baseline: 'b' },
      ...(which ? { copy: { of: 'a', which } } : {}),
    }
    for (const hop of path.hops) bindHop({ arm, path }, hop, cluster.objectsOf(arm), cluster)
    return found
  }
  expect(stoodIn('l4-only')).toEqual([undefined, undefined])
  expect(stoodIn('l4-only', 'spare')).toEqual(['meshbench-worker3', 'meshbench-worker3'])
  // The waypoint is the arm's own; its node is crossed.
  expect(stoodIn('l4-l7-l4', 'spare')).toEqual([
    'meshbench-control-plane',
    undefined,
    'meshbench-control-plane',
  ])
})
