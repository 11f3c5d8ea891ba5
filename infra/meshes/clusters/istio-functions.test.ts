/** Functions of a mesh as objects of Istio's API: what is rendered, what is refused and why, and where on a path it is done. */
import { describe, expect, test } from 'vitest'
import { whyNotVaried } from '../../../harness/config/varying.js'
import type { Mesh, Path, Variant } from '../../../harness/model.js'
import { testRequest } from '../../../harness/testing/request.js'
import {
  functionNames,
  functions,
  type FunctionName,
  type MeshFunction,
} from '../../../scenarios/functions.js'
import { paths } from '../../../scenarios/paths/index.js'
import { platforms } from '../../platforms/index.js'
import { benchObjects, golden, meshContext, testArm, transcript } from './testing.js'
import { toYaml } from '../hops/yaml.js'
import { transcriptCluster } from '../testdata/transcript-cluster.js'
import { functionFacts, istioFunctions, placeOnIstio, whyNotOnIstio } from '../istio/functions.js'
import { istioAmbient, istioSidecar } from '../istio/istio.js'
import { ambientManifests, ingressManifests, sidecarManifests } from '../istio/manifests.js'
import { istioSettings } from '../istio/settings.js'
import type { IstioMode } from '../istio/values.js'

type Settings = Readonly<Record<string, unknown>>

const modes = ['sidecar', 'ambient'] as const
const meshOf: Readonly<Record<IstioMode, Mesh>> = { sidecar: istioSidecar, ambient: istioAmbient }
const pathOf: Readonly<Record<IstioMode, Readonly<Record<'l4' | 'l7', Path>>>> = {
  sidecar: { l4: paths['l4-sidecar-to-sidecar'], l7: paths['l7-sidecar-to-sidecar'] },
  ambient: { l4: paths['l4-only'], l7: paths['l4-l7-l4'] },
}

const settingsOf = (name: FunctionName): Settings => (functions[name] as MeshFunction).settings
const layerOf = (settings: Settings): 'l4' | 'l7' => ('tunnel' in settings ? 'l4' : 'l7')
const variantOf = (settings: Settings): Variant => ({ name: 'v', source: 'v', settings, builds: {} })

const whyNot = (mode: IstioMode, settings: Settings, path = pathOf[mode][layerOf(settings)]) =>
  whyNotVaried(variantOf(settings), meshOf[mode], path, platforms.kind)

function manifestsOf(mode: IstioMode, settings: Settings, layer = layerOf(settings)) {
  const own = { functions: istioFunctions(istioSettings[mode].parse(settings)) }
  return mode === 'sidecar'
    ? sidecarManifests(layer, benchObjects, own)
    : ambientManifests(layer === 'l7', benchObjects, own)
}

/** The objects that are not the same without. */
function changed(mode: IstioMode, settings: Settings) {
  const plain = new Set(manifestsOf(mode, {}, layerOf(settings)).map((object) => toYaml([object])))
  return manifestsOf(mode, settings).filter((object) => !plain.has(toYaml([object])))
}

const filters = (byName: Settings) => ({ proxy: { filters: byName } })

/** In the order of the table of functions. */
const ofIstio: readonly FunctionName[] = [
  ...(['balance', 'retry', 'timeouts', 'circuitBreaker', 'outlier', 'split', 'jwt', 'headers'] as const),
  ...(['fault', 'authorization', 'authorizationHeaders', 'authorizationClaims'] as const),
  'portAuthorization',
]

describe.each(modes)('Istio %s', (mode) => {
  test('has objects for these functions, and a reason for each of the others', () => {
    expect(functionNames.filter((name) => whyNot(mode, settingsOf(name)) === undefined)).toEqual(ofIstio)
    for (const name of functionNames.filter((other) => !ofIstio.includes(other)))
      expect([name, whyNot(mode, settingsOf(name))]).toEqual([
        name,
        expect.stringMatching(
          /^of istio-(sidecar|ambient): .+|^istio-(sidecar|ambient) has no setting policy$/,
        ),
      ])
  })

  test('what each function adds or changes', async () => {
    const parts = ofIstio.map(
      (name) => `# ${functions[name].title}\n${toYaml(changed(mode, settingsOf(name)))}`,
    )
    const text = `# Each function by itself: the objects that are not the same without.\n---\n${parts.join('---\n')}`
    await expect(text).toMatchFileSnapshot(golden(`istio-${mode}-functions.yaml`))
    for (const name of ofIstio)
      expect([name, changed(mode, settingsOf(name)).length > 0]).toEqual([name, true])
  })

  test('every client is still asked for its identity, and for a token with it', () => {
    for (const name of ofIstio) {
      const policies = manifestsOf(mode, settingsOf(name)).filter(
        ({ kind }) => kind === 'AuthorizationPolicy',
      )
      const rules = policies.flatMap(({ spec }) => (spec as { rules: { from?: object[] }[] }).rules)
      for (const { from } of rules) expect(toYaml(from ?? [])).toContain('cluster.local/ns/bench/sa/')
    }
    const text = toYaml(manifestsOf(mode, settingsOf('authorizationClaims')))
    expect(text).toContain('https://issuer.bench.local/*')
    expect(text).toContain('request.auth.claims[role]')
  })

  test('a service has one DestinationRule and one route', () => {
    for (const name of ofIstio) {
      const kinds = manifestsOf(mode, settingsOf(name)).map(({ kind }) => kind)
      expect(kinds.filter((kind) => kind === 'DestinationRule').length).toBeLessThanOrEqual(1)
      expect(kinds.filter((kind) => /^(VirtualService|HTTPRoute)$/.test(kind)).length).toBeLessThanOrEqual(1)
    }
  })

  test('what holds for the whole mesh is no variant', () => {
    expect(whyNot(mode, { values: { istiod: {} } })).toBe(`values: the same for all arms of istio-${mode}`)
    expect(whyNot(mode, { proxy: { workers: 2 } })).toMatch(/proxy\.workers: it is of the installation/)
  })
})

test.each<[name: FunctionName, why: RegExp]>([
  ['rateLimit', /proxy\.filters\.rateLimit: its API has no object for it.*EnvoyFilter/],
  ['globalRateLimit', /proxy\.filters\.globalRateLimit: its API has no object for it.*EnvoyFilter/],
  ['externalAuthorization', /externalAuthorization: whom it tells or asks is a provider of the mesh config/],
  ['oidc', /proxy\.filters\.jwt\.remoteJwks: istiod fetches keys/],
  ['mirror', /proxy\.filters\.mirror: it takes a service of the cluster, and none is raised/],
  ['locality', /proxy\.filters\.locality: .*the server is one endpoint/],
  ['requestMetrics', /proxy\.filters\.requestMetrics: its hops count by themselves/],
  ['connectionMetrics', /tunnel\.connectionMetrics: its hops count by themselves/],
  ['connectionBalance', /tunnel\.endpoints: .*the server is one endpoint/],
  ['encryption', /transport: its hops have mutual TLS/],
  ['mutualAuthentication', /transport: its hops have mutual TLS/],
])('%s is refused with its own reason', (name, why) => {
  expect(whyNot('sidecar', settingsOf(name))).toMatch(why)
})

test.each<[settings: Settings, why: RegExp]>([
  [{ fault: { delay: { ms: 0.5 } } }, /fault\.delay\.ms: 0\.5: .*one millisecond or more/],
  [{ fault: { abort: { status: 503, percent: 0.00001 } } }, /fault\.percent: 0\.00001: Istio has 0\.0001/],
  [{ circuitBreaker: { maxPending: 0 } }, /circuitBreaker\.maxPending: 0: Istio takes it for no limit/],
  [{ retry: { budget: { minConcurrent: 0 } } }, /retry\.budget\.minConcurrent: 0: Istio takes it for 3/],
  [{ retry: { retries: 99 } }, /proxy\.filters\.retry\.retries: /],
  [{ retry: { tries: 2 } }, /proxy\.filters\.retry: .*tries/],
])('%j is refused, since no field has it', (byName, why) => {
  for (const mode of modes) expect(whyNotOnIstio(mode, filters(byName), pathOf[mode].l7)).toMatch(why)
})

test('a part of a function may be laid over what the mesh has of it', () => {
  const part = filters({ jwt: { issuer: 'https://other.bench.local' } })
  expect(whyNotOnIstio('sidecar', part, pathOf.sidecar.l7)).toBeUndefined()
})

test('a try is bounded where there are retries, and nowhere else', () => {
  const { retry, timeouts } = { retry: { retries: 1 }, timeouts: { requestMs: 1500, perTryMs: 500 } }
  expect(istioFunctions(filters({ timeouts })).route).toEqual({ timeout: '1.5s' })
  expect(istioFunctions(filters({ timeouts, retry })).route).toMatchObject({
    timeout: '1.5s',
    retries: { attempts: 1, perTryTimeout: '0.5s' },
  })
})

test('deny rules are a policy of their own, and other principals a condition', () => {
  const rules = [
    { action: 'deny', paths: ['/admin*'] },
    { principals: ['spiffe://cluster.local/ns/bench/sa/*'], methods: ['GET'] },
  ]
  const policies = manifestsOf('sidecar', filters({ authorization: { rules } })).filter(
    ({ kind }) => kind === 'AuthorizationPolicy',
  )
  expect(policies.map(({ spec }) => spec)).toEqual([
    {
      selector: { matchLabels: { app: 'server' } },
      action: 'ALLOW',
      rules: [
        {
          from: [{ source: { principals: ['cluster.local/ns/bench/sa/client'] } }],
          to: [{ operation: { methods: ['GET'] } }],
          when: [{ key: 'source.principal', values: ['cluster.local/ns/bench/sa/*'] }],
        },
      ],
    },
    {
      selector: { matchLabels: { app: 'server' } },
      action: 'DENY',
      rules: [{ to: [{ operation: { paths: ['/admin*'] } }] }],
    },
  ])
})

describe('where it is done', () => {
  const jwt = settingsOf('jwt')
  test.each<[mode: IstioMode, settings: Settings, path: Path, place: string | undefined]>([
    ['sidecar', settingsOf('retry'), pathOf.sidecar.l7, "the client's sidecar"],
    ['sidecar', settingsOf('split'), pathOf.sidecar.l7, "the client's sidecar"],
    ['sidecar', jwt, pathOf.sidecar.l7, "the server's sidecar"],
    ['sidecar', settingsOf('portAuthorization'), pathOf.sidecar.l4, "the server's sidecar"],
    ['ambient', settingsOf('retry'), pathOf.ambient.l7, 'the waypoint'],
    ['ambient', jwt, pathOf.ambient.l7, 'the waypoint'],
    ['ambient', settingsOf('portAuthorization'), pathOf.ambient.l4, "the server's ztunnel"],
    ['sidecar', settingsOf('circuitBreaker'), paths['ingress-to-sidecar'], 'the gateway'],
    ['sidecar', {}, pathOf.sidecar.l7, undefined],
  ])('Istio %s, %j', (mode, settings, path, place) => {
    expect(placeOnIstio(mode, settings, path)).toBe(place)
    expect(whyNotOnIstio(mode, settings, path)).toBeUndefined()
  })

  test('on the ways in from outside only what has an object there', () => {
    const { ingress, 'ingress-to-sidecar': toSidecar } = paths
    expect(whyNot('sidecar', settingsOf('retry'), toSidecar)).toMatch(/retry: a VirtualService does it/)
    expect(whyNot('sidecar', jwt, toSidecar)).toBeUndefined()
    expect(whyNot('ambient', jwt, ingress)).toMatch(/jwt: nothing between the gateway and the server parses/)
    expect(whyNot('ambient', settingsOf('outlier'), ingress)).toBeUndefined()
    const own = { functions: istioFunctions(istioSettings.sidecar.parse(jwt)) }
    const kinds = ingressManifests('sidecar', benchObjects, 'node', own).map(({ kind }) => kind)
    expect(kinds).toContain('RequestAuthentication')
  })

  test('is a fact of the report, with what is a little different, where any arm has a function', () => {
    expect(functionFacts('istio-sidecar', [{}])).toEqual([])
    const facts = functionFacts('istio-sidecar', [{}, settingsOf('retry')])
    expect(facts.map(({ name }) => name)).toEqual(['istio-sidecar functions', 'istio-sidecar function'])
    expect(facts[1]?.value).toMatch(/^retry: /)
  })
})

test('functions of the mesh’s own settings are refused before anything is installed', async () => {
  const requestOf = (settings: Settings) =>
    testRequest({
      id: 'kubernetes/istio-ambient',
      config: {
        platform: 'kubernetes',
        meshSettings: { 'istio-ambient': { ...settings, installed: {} } },
      },
      arms: [testArm('istio-ambient', 'ingress')],
      paths: Object.values<Path>(paths),
    })
  const check = (settings: Settings) => istioAmbient.check(requestOf(settings), { offers: ['cluster'] })
  expect(await check(settingsOf('circuitBreaker'))).toEqual([])
  const [unmet] = await check(settingsOf('headers'))
  expect(unmet?.found).toMatch(/^ingress: proxy\.filters\.headers: a VirtualService does it/)
})

test('variants of one arm are raised beside each other, each with what it turns on', async () => {
  const cluster = transcriptCluster(transcript('istio-sidecar-install'))
  const arms = ['jwt', 'split'].map((variant) => ({
    ...testArm('istio-sidecar', 'l7-sidecar-to-sidecar'),
    ...{ id: `istio-sidecar/l7-sidecar-to-sidecar@${variant}`, variant },
  }))
  const { request, ...context } = meshContext(cluster, 'istio-sidecar', arms)
  const variants = (['jwt', 'split'] as const).map((name) => ({ ...variantOf(settingsOf(name)), name }))
  const session = await istioSidecar.install({
    ...context,
    request: { ...request, config: { ...request.config, variants } },
  })
  expect(session.facts.map(({ name }) => name)).toContain('istio-sidecar functions')
  const applied: string[] = []
  for (const arm of arms) {
    const before = cluster.commands.length
    cluster.goOn('$ kubectl apply --server-side -f -\n$ kubectl get service server *\n10.96.0.10\n')
    await session.raise(arm, paths['l7-sidecar-to-sidecar'])
    applied.push(cluster.commands[before]?.input ?? '')
  }
  const [jwt, split] = applied
  expect(jwt).toContain('kind: RequestAuthentication')
  expect(jwt).not.toContain('subset')
  expect(split).toContain('subset: share-2')
  expect(split).not.toContain('RequestAuthentication')
})
