/** Golden files of what helm and the API server get in each mode. Regenerate with `vitest -u`, then review. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { cilium, ciliumGateway, ciliumWireguard, ciliumZtunnel } from './cilium.js'
import { hopLimits } from '../hops/hop-limits.js'
import { toYaml } from '../hops/yaml.js'
import { ciliumManifests, ciliumShape, gatewayClassManifests, type CiliumPath } from './manifests.js'
import { ciliumValues, type CiliumOptions } from './values.js'

const golden = (name: string) => fileURLToPath(new URL(`../testdata/golden/${name}.yaml`, import.meta.url))
const plain: CiliumOptions = {
  encryption: 'none',
  mutualAuth: false,
  hubble: true,
  gateways: false,
  apiServer: { host: 'meshbench-control-plane', port: 6443 },
  controlPlaneNode: 'meshbench-control-plane',
  gatewayNode: 'meshbench-worker3',
  imagesByTag: false,
}
const objects = {
  namespace: 'bench',
  service: { name: 'server', port: 8080 },
  clientSelector: 'app=client',
  serverSelector: 'app=server',
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
    golden(`cilium-values-${name}`),
  )
})

const paths = [
  ...cilium.paths,
  ...ciliumWireguard.paths,
  ...ciliumZtunnel.paths,
  ...ciliumGateway.paths,
] as CiliumPath[]
test.each(paths)('manifests and shape: %s', async (path) => {
  const manifests = ciliumManifests(path, objects)
  const text = `# shape of namespace, pods and service\n${toYaml([ciliumShape(path), ...manifests])}`
  await expect(text).toMatchFileSnapshot(golden(`cilium-${path}`))
})

test('the class of gateways', async () => {
  await expect(toYaml(gatewayClassManifests())).toMatchFileSnapshot(golden('cilium-gateway-class'))
})

test('behind a gateway the server admits what gateways let in, and not its client', () => {
  const [policy] = ciliumManifests('ingress-alone', objects)
  expect(toYaml([policy ?? {}])).toContain('- ingress')
  expect(toYaml([policy ?? {}])).not.toContain('client')
})

test('an HTTP rule stands only where a path parses HTTP', () => {
  for (const path of paths) {
    const text = toYaml(ciliumManifests(path, objects).filter(({ kind }) => kind === 'CiliumNetworkPolicy'))
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
