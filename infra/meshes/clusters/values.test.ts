/** What users lay over an installation: merged as helm would, told as a difference, refused with the field. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defined } from '../../../harness/model/defined.js'
import { ciliumOverlays } from '../cilium/install.js'
import { ciliumSettings } from '../cilium/settings.js'
import { istioCharts, istioOverlays, istioSteps } from '../istio/install.js'
import { istioSettings } from '../istio/settings.js'
import { istioAmbient } from '../istio/istio.js'
import { installLines } from '../declared.js'
import { transcriptCluster } from '../testdata/transcript-cluster.js'
import type { Assets } from '../hops/steps.js'
import { commandsOf, valuesOf } from './testing.js'
import { manifestSteps, pullSecretNames, valuesDifference, withValues } from './values.js'
import { testRequest } from '../../../harness/testing/request.js'

const ours = { global: { hub: 'docker.io/istio', tag: '1.31.1' }, tolerations: [{ operator: 'Exists' }] }

let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'meshbench-values-'))))
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('values', () => {
  test('objects are merged, lists and scalars replaced, later layers win', async () => {
    const file = join(folder, 'values.yaml')
    await writeFile(file, 'global: { platform: gke, tag: "1.31.2" }\ntolerations: []\n')
    expect(withValues(ours, [file, { global: { tag: '1.31.3' } }], 'f')).toEqual({
      global: { hub: 'docker.io/istio', tag: '1.31.3', platform: 'gke' },
      tolerations: [],
    })
  })
  test('nothing given is ours', () => {
    expect(withValues(ours, undefined, 'f')).toEqual(ours)
  })
  test('a key named __proto__ is a key', () => {
    const merged = withValues(ours, JSON.parse('{"__proto__":{"x":1}}') as Record<string, unknown>, 'f')
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype)
    expect(({} as { x?: number }).x).toBeUndefined()
  })
  test.each([
    ['not-there.yaml', undefined, /not-there\.yaml cannot be read as values: ENOENT/],
    ['broken.yaml', 'a: [1', /broken\.yaml cannot be read as values/],
    ['list.yaml', '- 1', /list\.yaml holds no object of values/],
  ])('%s', async (name, text, message) => {
    const file = join(folder, name)
    if (text !== undefined) await writeFile(file, text)
    expect(() => withValues(ours, file, 'meshSettings.cilium.values.cilium')).toThrow(message)
    expect(() => withValues(ours, file, 'meshSettings.cilium.values.cilium')).toThrow(
      /^meshSettings\.cilium\.values/,
    )
  })
  test('the difference is told by path, and there is none where nothing changes', () => {
    const merged = withValues(ours, { global: { tag: '2', platform: 'k3s' }, tolerations: [] }, 'f')
    expect(valuesDifference(ours, merged)).toEqual([
      'global.platform: not set → "k3s"',
      'global.tag: "1.31.1" → "2"',
      'tolerations: [{"operator":"Exists"}] → []',
    ])
    expect(valuesDifference(ours, withValues(ours, ours, 'f'))).toEqual([])
  })
  test('what is secret is told without what it is', () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nx\n'
    const merged = withValues(
      ours,
      { tls: { ca: { cert: 'c', key: 'hidden' } }, registry: { adminToken: 'hidden' }, files: [pem] },
      'f',
    )
    expect(valuesDifference(ours, merged)).toEqual([
      'files: not set → a secret',
      'registry.adminToken: not set → a secret',
      'tls.ca.cert: not set → "c"',
      'tls.ca.key: not set → a secret',
    ])
  })
})

/** What must be in no plan, journal, report or terminal, and where it was found. */
const hidden = 'hunter2'
const secrets: readonly [object, string][] = [
  [{ global: { registry: { password: hidden } } }, 'global.registry.password'],
  [{ tracing: { 'access-token': hidden } }, 'tracing.access-token'],
  [{ tls: { ca: { key: hidden } } }, 'tls.ca.key'],
  [
    {
      env: [
        { name: 'PORT', value: '1' },
        { name: 'DB_PASSWORD', value: hidden },
      ],
    },
    'env.1.value',
  ],
  [{ registries: [{ host: 'a', secretKey: hidden }] }, 'registries.0.secretKey'],
  [{ proxy: `https://user:${hidden}@proxy.example` }, 'proxy'],
  [{ files: { 'a.yaml': `user: a\npassword: ${hidden}\n` } }, 'files.a.yaml'],
]
const plain = {
  tolerations: [{ key: 'dedicated', operator: 'Exists' }],
  env: [{ name: 'API_TOKEN', valueFrom: { secretKeyRef: { name: 'api', key: 'token' } } }],
  automountServiceAccountToken: true,
  pilot: { env: { ENABLE_TOKEN: 'true', key: '' } },
  existingSecret: 'registry',
}

describe('a secret in values', () => {
  test.each(secrets)('%# is refused in a config, by its name alone', (values, path) => {
    const { error } = istioSettings.sidecar.safeParse({ values: { istiod: [{ a: 1 }, values] } })
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([`values.istiod.1.${path}`])
    expect(error?.message).toMatch(/is secret.*file of values/)
    expect(JSON.stringify(error?.issues)).not.toContain(hidden)
  })

  test.each(secrets)('%# may stand in a file, of which no plan tells it', async (values) => {
    const file = join(folder, 'secrets.json')
    await writeFile(file, JSON.stringify(values))
    const given = { values: { istiod: file } }
    expect(istioSettings.sidecar.safeParse(given).success).toBe(true)
    const told = istioOverlays('sidecar', given, [])
    expect(JSON.stringify(told)).toContain('a secret')
    expect(JSON.stringify(told)).not.toContain(hidden)
  })

  test('is nothing that only names one', () => {
    expect(ciliumSettings.safeParse({ values: { cilium: plain } }).error).toBeUndefined()
  })
})

describe('settings', () => {
  test.each([
    [istioSettings.sidecar, { valeus: {} }, /valeus/],
    [istioSettings.sidecar, { values: { ztunnel: {} } }, /ztunnel/],
    [ciliumSettings, { values: { istiod: {} } }, /istiod/],
    [ciliumSettings, { hubble: 'no' }, /hubble/],
    [istioSettings.ambient, { manifests: 'x.yaml' }, /manifests/],
    [istioSettings.ambient, { platform: 'eks' }, /gke.*openshift/s],
  ])('are refused with the field: %#', (schema, given, message) => {
    expect(schema.safeParse(given).error?.message).toMatch(message)
  })

  test('what they lay over an installation is told without a cluster', () => {
    const values = { istiod: { telemetry: { enabled: false } } }
    const given = { values, manifests: ['f.yaml'], mirrors: { 'docker.io': 'mirror.example/hub' } }
    expect(istioOverlays('sidecar', given, [])).toEqual([
      { name: 'istio-sidecar values of istiod', value: 'telemetry.enabled: not set → false' },
      { name: "istio-sidecar manifests of the user's", value: 'f.yaml' },
      { name: 'istio-sidecar mirror of docker.io', value: 'mirror.example/hub' },
    ])
    expect(ciliumOverlays('none', { values: { cilium: { hubble: { enabled: false } } } }, [])).toEqual([
      { name: 'cilium values of cilium', value: 'hubble.enabled: true → false' },
    ])
    expect(istioOverlays('ambient', undefined, [])).toEqual([])
  })
})

test('a plan says what would be installed, and what is laid over it', () => {
  const config = {
    meshSettings: {
      'istio-sidecar': { values: { istiod: { telemetry: { enabled: false } } }, manifests: ['f.yaml'] },
    },
  }
  const arms = [
    { mesh: 'istio-sidecar', path: 'l7-sidecar-to-sidecar' },
    { mesh: 'none', path: 'baseline' },
  ]
  const lines = installLines(testRequest({ config, arms }))
  expect(lines).toEqual([
    'istio-sidecar: base 1.31.1, istiod 1.31.1',
    '  images docker.io/istio/pilot:1.31.1, docker.io/istio/proxyv2:1.31.1',
    '  values of istiod: telemetry.enabled: not set → false',
    "  manifests of the user's: f.yaml",
  ])
})

describe('an installation', () => {
  const nodes = { waypoint: 'w', 'control-plane': 'c' }
  const assets = { chart: async () => ['chart'], manifest: async () => 'm', archives: async () => [] }
  const undone: (() => Promise<unknown>)[] = []
  async function install(given: object) {
    const cluster = transcriptCluster(
      '$* kubectl get crd *\n{"metadata":{"annotations":{"gateway.networking.k8s.io/bundle-version":"v1.6.1"}}}\n$* helm *\n$* kubectl *\n',
    )
    const settings = istioSettings.ambient.parse(given)
    const pullSecrets = pullSecretNames('istio-ambient', settings.pullSecrets)
    const options = {
      mode: 'ambient' as const,
      nodes,
      pullSecrets,
      ...defined({ platform: settings.platform }),
    }
    for (const step of istioSteps(
      options,
      cluster,
      istioCharts(options, settings, cluster, true),
      settings,
    )) {
      await step.run({
        ...{ mesh: 'istio-ambient', cluster, assets },
        undo: (_, work) => void undone.push(work),
      })
    }
    const inputOf = (release: string) =>
      valuesOf(cluster, release) as {
        global?: { platform?: string; imagePullSecrets?: string[]; hub?: string }
        telemetry?: object
        cni?: object
        imagePullSecrets?: string[]
      }
    return { cluster, inputOf }
  }

  test('helm is given the merged values, and manifests come after the charts and go with them', async () => {
    const { cluster, inputOf } = await install({
      values: { istiod: { telemetry: { enabled: false } } },
      manifests: ['filter.yaml'],
    })
    expect(inputOf('istiod')).toMatchObject({
      telemetry: { enabled: false },
      global: { hub: 'docker.io/istio' },
    })
    expect(cluster.commands.at(-1)?.command).toBe('kubectl apply --server-side -f filter.yaml')
    await undone.at(-1)?.()
    expect(cluster.commands.at(-1)?.command).toContain(
      'kubectl delete --ignore-not-found --wait=false -f filter.yaml',
    )
  })

  test('on a cluster that is somebody’s every object of them carries the marks of the run', async () => {
    const asked = 'kubectl label --local -f filter.yaml meshbench.run=r meshbench.machine=m -o json'
    const cluster = transcriptCluster(`$ ${asked}\n{"kind":"EnvoyFilter"}\n$* kubectl apply *\n`, {
      isOwn: false,
    })
    const [step] = manifestSteps(['filter.yaml'])
    await step?.run({ mesh: 'istio-ambient', cluster, assets: {} as Assets, undo: () => {} })
    expect(cluster.commands.at(-1)).toMatchObject({
      command: 'kubectl apply --server-side -f -',
      input: expect.stringContaining('EnvoyFilter') as string,
    })
  })

  test('Cilium as the network under ambient comes before Istio, as its documents ask', async () => {
    const { cluster, inputOf } = await install({
      cni: 'cilium',
      values: { cilium: { hubble: { enabled: false } } },
    })
    expect(inputOf('cilium')).toMatchObject({
      cni: { exclusive: false },
      socketLB: { hostNamespaceOnly: true },
      bpf: { masquerade: false },
      kubeProxyReplacement: true,
      hubble: { enabled: false },
    })
    const commands = commandsOf(cluster)
    const at = (part: string) => commands.findIndex((command) => command.includes(part))
    expect(at('wait --for=condition=Ready node --all')).toBeGreaterThan(at('--install cilium '))
    expect(at('--install istio-base ')).toBeGreaterThan(at('rollout status deployment/coredns'))
    expect(istioAmbient.clusterNeeds?.([], { cni: 'cilium' })).toEqual({
      defaultCni: false,
      kubeProxy: false,
    })
    expect(istioAmbient.clusterNeeds?.([], {})).toEqual({ defaultCni: true, kubeProxy: true })
    expect(istioAmbient.downloads?.([], { cni: 'cilium' }).charts?.map(({ name }) => name)).toEqual([
      ...['cilium', 'base', 'istiod', 'cni', 'ztunnel'],
    ])
    const config = { meshSettings: { 'istio-ambient': { cni: 'cilium', cacheDir: folder } } }
    const unmet = await istioAmbient.check(testRequest({ config }), { offers: ['cluster'] })
    expect(unmet[0]?.need).toBe('a cluster that is made with cilium as its network')
  })

  test('the ground and the pull secrets are told to every chart that asks for them', async () => {
    const file = join(folder, 'secret.yaml')
    await writeFile(file, 'kind: Secret\nmetadata: { name: registry }\n')
    const { cluster, inputOf } = await install({ platform: 'gke', pullSecrets: [file] })
    for (const release of ['istiod', 'istio-cni'])
      expect(inputOf(release).global).toMatchObject({ platform: 'gke', imagePullSecrets: ['registry'] })
    expect(inputOf('ztunnel')).toMatchObject({ global: { platform: 'gke' }, imagePullSecrets: ['registry'] })
    const commands = commandsOf(cluster)
    const secret = commands.findIndex((command) => command.includes(`-n istio-system -f ${file}`))
    expect(secret).toBeGreaterThan(0)
    expect(secret).toBeLessThan(commands.findIndex((command) => command.startsWith('helm')))
    const { cluster: onCilium, inputOf: valuesFor } = await install({ cni: 'cilium', pullSecrets: [file] })
    expect(valuesFor('cilium')).toMatchObject({ imagePullSecrets: [{ name: 'registry' }] })
    expect(
      commandsOf(onCilium).filter((command) => command.endsWith(`-n kube-system -f ${file}`)),
    ).toHaveLength(1)
    await writeFile(file, 'kind: ConfigMap\n')
    expect(() => pullSecretNames('cilium', [file])).toThrow(
      /meshSettings\.cilium\.pullSecrets: .*secret\.yaml cannot be read as a Secret: there is none in it/,
    )
  })
})
