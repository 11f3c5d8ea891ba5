/** Golden files of what helm and the API server get in each mode. Regenerate with `vitest -u`, then review. */
import { expect, test } from 'vitest'
import { cilium, ciliumGateway, ciliumWireguard, ciliumZtunnel } from './cilium.js'
import { benchObjects, golden } from '../clusters/testing.js'
import { hopLimits } from '../hops/hop-limits.js'
import { toYaml } from '../hops/yaml.js'
import { ciliumManifests, ciliumShape, gatewayClassManifests, type CiliumPath } from './manifests.js'
import { ciliumValues, type CiliumOptions } from './values.js'

const plain: CiliumOptions = {
  encryption: 'none',
  mutualAuth: false,
  hubble: true,
  gateways: false,
  apiServer: { host: 'meshbench-control-plane', port: 6443 },
  nodes: { 'control-plane': 'meshbench-control-plane', waypoint: 'meshbench-worker3' },
  imagesByTag: false,
}

test.each<[string, Partial<CiliumOptions>]>([
  ['plain', {}],
  ['mutual-auth', { mutualAuth: true }],
  ['wireguard', { encryption: 'wireguard' }],
  ['ztunnel', { encryption: 'ztunnel' }],
  ['gateway', { gateways: true }],
  ['offline', { imagesByTag: true, hubble: false }],
  ['mirror', { mirrors: { 'quay.io': 'mirror.example/quay' } }],
])('Helm values: %s', async (name, options) => {
  await expect(toYaml([ciliumValues({ ...plain, ...options })])).toMatchFileSnapshot(
    golden(`cilium-values-${name}.yaml`),
  )
})

const paths = [
  ...cilium.paths,
  ...ciliumWireguard.paths,
  ...ciliumZtunnel.paths,
  ...ciliumGateway.paths,
] as CiliumPath[]
test.each(paths)('manifests and shape: %s', async (path) => {
  const manifests = ciliumManifests(path, benchObjects)
  const text = `# shape of namespace, pods and service\n${toYaml([ciliumShape(path), ...manifests])}`
  await expect(text).toMatchFileSnapshot(golden(`cilium-${path}.yaml`))
})

test('the class of gateways', async () => {
  await expect(toYaml(gatewayClassManifests())).toMatchFileSnapshot(golden('cilium-gateway-class.yaml'))
})

test('behind a gateway the server admits what gateways let in, and not its client', () => {
  const [policy] = ciliumManifests('ingress-alone', benchObjects)
  expect(toYaml([policy ?? {}])).toContain('- ingress')
  expect(toYaml([policy ?? {}])).not.toContain('client')
})

test('an HTTP rule stands only where a path parses HTTP', () => {
  for (const path of paths) {
    const text = toYaml(
      ciliumManifests(path, benchObjects).filter(({ kind }) => kind === 'CiliumNetworkPolicy'),
    )
    expect(text.includes('http:'), path).toBe(path.startsWith('l7-'))
    expect(text.includes('mode: required'), path).toBe(path === 'l4-kernel-mutual-auth')
  }
})

test('the shared Envoy gets the limits that every mesh gets', () => {
  const { envoy, extraConfig } = ciliumValues(plain)
  expect(envoy).toMatchObject({
    extraArgs: [`--concurrency ${hopLimits.workers}`],
    httpRetryCount: hopLimits.retries,
    idleTimeoutDurationSeconds: hopLimits.upstreamIdleMs / 1000,
    connectTimeoutSeconds: hopLimits.connectTimeoutMs / 1000,
  })
  expect(extraConfig['http-request-timeout']).toBe(String(hopLimits.requestTimeoutMs / 1000))
})
