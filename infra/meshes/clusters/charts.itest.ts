/**
 * Gives our Helm values to the real charts: every value must be one that the chart knows and must change what it renders,
 * and what proofs and charge lists look for must be in the rendering. Skipped, with the reason, without helm or charts.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { findProgram, run } from '../../../harness/process/exec.js'
import { newRunId } from '../../../harness/process/state.js'
import { clusterName } from '../../platforms/kind/clean.js'
import { defaultCacheDir, listPulls } from '../../supply/pull.js'
import { cilium, istio } from '../../supply/versions.js'
import type { ChartPin } from '../../../harness/model.js'
import { downloadsOnAllPaths } from './testing.js'
import { ciliumValues, envoyMetricsPort, type CiliumOptions } from '../cilium/values.js'
import { hopLimits } from '../hops/hop-limits.js'
import { istioReleases, type IstioMode } from '../istio/values.js'
import { proxyResources } from '../hops/sizing.js'
import { toYaml } from '../hops/yaml.js'

const kubeVersion = '1.36.4'
const minutes = 60_000

type Values = Readonly<Record<string, unknown>>
type ValuePath = readonly string[]

interface Release {
  readonly release: string
  readonly chart: string
  readonly namespace: string
  readonly values: object
  /** API groups that the cluster is said to have. */
  readonly apiVersions?: readonly string[]
}

/** Folders or archives of charts: from the cache, or where a variable names a folder of them. */
async function findCharts(
  pins: Readonly<Record<string, ChartPin>>,
  folders: Readonly<Record<string, string>> | undefined,
): Promise<Readonly<Record<string, string>> | undefined> {
  const cached = (name: string, { version }: ChartPin) =>
    join(defaultCacheDir(), 'charts', `${name}-${version}.tgz`)
  const found =
    folders ?? Object.fromEntries(Object.entries(pins).map(([name, pin]) => [name, cached(name, pin)]))
  for (const path of Object.values(found)) {
    const there = await access(path).then(
      () => true,
      () => false,
    )
    if (!there) return undefined
  }
  return found
}

const istioFolder = process.env.MESHBENCH_TEST_ISTIO_CHARTS
const istioCharts = await findCharts(
  istio.charts,
  istioFolder === undefined
    ? undefined
    : {
        base: join(istioFolder, 'base'),
        istiod: join(istioFolder, 'istio-control', 'istio-discovery'),
        cni: join(istioFolder, 'istio-cni'),
        ztunnel: join(istioFolder, 'ztunnel'),
      },
)
const ciliumFolder = process.env.MESHBENCH_TEST_CILIUM_CHART
const ciliumChart = await findCharts(
  cilium.charts,
  ciliumFolder === undefined ? undefined : { cilium: ciliumFolder },
)
const noHelm = (await findProgram('helm')) === undefined ? 'helm is not on the PATH' : undefined
const without = (name: string, variable: string, charts: object | undefined) =>
  noHelm ?? (charts ? undefined : `${name} is neither pulled nor named by ${variable}`)
const noIstio = without('Istio’s charts', 'MESHBENCH_TEST_ISTIO_CHARTS', istioCharts)
const noCilium = without('Cilium’s chart', 'MESHBENCH_TEST_CILIUM_CHART', ciliumChart)
for (const reason of new Set([noIstio, noCilium])) if (reason) console.log(`skipped: ${reason}`)

async function helm(
  { release, chart, namespace, apiVersions = [] }: Release,
  values: object,
): Promise<string> {
  const groups = apiVersions.flatMap((group) => ['--api-versions', group])
  const argv = ['helm', 'template', release, chart, '--namespace', namespace, '--kube-version', kubeVersion]
  const { stdout } = await run([...argv, ...groups, '--values', '-'], { input: toYaml([values]) })
  return stdout
}

interface Rendered {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly replicas?: number
    readonly template?: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: {
        readonly nodeSelector?: object
        readonly imagePullSecrets?: readonly object[]
        readonly containers: readonly Container[]
        readonly initContainers?: readonly Container[]
      }
    }
  }
}

interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly resources?: object
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
}

const objectsIn = (text: string) =>
  parseAllDocuments(text).flatMap((document) => {
    const object = document.toJS() as Rendered | null
    return object ? [object] : []
  })

/** Keys and certificates are made anew by each rendering. */
const withoutKeys = (text: string) =>
  text
    .split(/^---$/m)
    .filter((document) => !/^kind: Secret$/m.test(document) && !document.includes('BEGIN CERTIFICATE'))
    .join('---')

function workload(objects: readonly Rendered[], label: string, namespace?: string) {
  const [key = '', value] = label.split('=')
  const found = objects.filter(
    ({ spec, metadata }) =>
      spec?.template?.metadata.labels[key] === value &&
      (namespace === undefined || metadata.namespace === namespace),
  )
  expect(found, label).toHaveLength(1)
  const [object] = found
  const pod = object?.spec?.template?.spec
  const container = (name: string) => {
    const match = pod?.containers.find((each) => each.name === name)
    if (!match) throw new Error(`${label} has no container ${name}`)
    return match
  }
  return { object, pod, container }
}

const imagesIn = (objects: readonly Rendered[]) =>
  new Set(
    objects.flatMap(({ spec }) =>
      [...(spec?.template?.spec.containers ?? []), ...(spec?.template?.spec.initContainers ?? [])].map(
        ({ image }) => image,
      ),
    ),
  )

const isMap = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every value that is set, by its path; lists are values, not branches. */
function leaves(value: unknown, path: ValuePath = []): readonly ValuePath[] {
  if (!isMap(value) || Object.keys(value).length === 0) return [path]
  return Object.entries(value).flatMap(([key, child]) => leaves(child, [...path, key]))
}

/** Whether the chart's own values have the path, or take anything from where they end in nothing or an empty map. */
function isKnown(defaults: unknown, path: ValuePath): boolean {
  // Kubernetes' and Istio's own types, whose fields the chart hands on.
  const handedOn = new Set(['resources', 'nodeSelector', 'meshConfig', 'env'])
  let at: unknown = defaults
  for (const key of path) {
    if (!isMap(at) || Object.keys(at).length === 0) return at === null || isMap(at)
    if (!(key in at)) return false
    if (handedOn.has(key)) return true
    at = at[key]
  }
  return true
}

function changed(value: unknown): unknown {
  if (typeof value === 'boolean') return !value
  if (typeof value === 'number') return value + 1
  if (typeof value === 'string') return `${value}0`
  return []
}

function withValue(values: unknown, [key = '', ...rest]: ValuePath): Values {
  const map = values as Values
  return { ...map, [key]: rest.length === 0 ? changed(map[key]) : withValue(map[key], rest) }
}

const valueAt = (values: unknown, path: ValuePath): unknown =>
  path.reduce((at, key) => (isMap(at) ? at[key] : undefined), values)

/**
 * Values whose change is seen in nothing that the chart renders. A chart that refuses the change has seen it. Those that are
 * the same in `tried`, another release of the chart, are left out.
 */
async function withoutEffect(release: Release, tried: Values = {}): Promise<readonly string[]> {
  const rendered = withoutKeys(await helm(release, release.values))
  // Otherwise every difference would pass for an effect.
  expect(withoutKeys(await helm(release, release.values))).toBe(rendered)
  const idle: string[] = []
  for (const path of leaves(release.values)) {
    if (path.length === 0 || isDeepStrictEqual(valueAt(tried, path), valueAt(release.values, path))) continue
    const other = await helm(release, withValue(release.values, path)).then(withoutKeys, () => 'refused')
    if (other === rendered) idle.push(path.join('.'))
  }
  return idle
}

async function unknownValues({ chart, values }: Release): Promise<readonly string[]> {
  const defaults = parse((await run(['helm', 'show', 'values', chart])).stdout) as Values
  // Istio's charts keep theirs one level down, so that a profile can come between.
  const own = (defaults._internal_defaults_do_not_set ?? defaults) as Values
  return leaves(values)
    .filter((path) => path.length > 0 && path[0] !== 'profile' && !isKnown(own, path))
    .map((path) => path.join('.'))
}

/** What `meshbench pull` fetches, as the rendering must name it. */
function pulled(mesh: string): ReadonlySet<string> {
  const items = listPulls([{ neededBy: mesh, ...downloadsOnAllPaths(mesh) }])
  return new Set(items.flatMap(({ kind, tag }) => (kind === 'image' && tag !== undefined ? [tag] : [])))
}

describe.skipIf(noIstio !== undefined)('Istio’s charts', () => {
  const releasesOf = (mode: IstioMode): readonly Release[] =>
    istioReleases({ mode, nodes: { waypoint: 'worker3', 'control-plane': 'control-plane' } }).map(
      ({ release, chart, values }) => ({
        release,
        chart: istioCharts?.[chart.name] ?? '',
        namespace: 'istio-system',
        values,
      }),
    )
  const render = async (mode: IstioMode) =>
    (await Promise.all(releasesOf(mode).map((each) => helm(each, each.values)))).join('\n---\n')

  test.each(['sidecar', 'ambient'] as const)(
    '%s: every value is known and has an effect',
    async (mode) => {
      for (const release of releasesOf(mode)) {
        expect(await unknownValues(release), release.release).toEqual([])
        expect(await withoutEffect(release), release.release).toEqual([])
      }
    },
    5 * minutes,
  )

  test('sidecar: limits, retries and images arrive, and nothing of ambient', async () => {
    const text = await render('sidecar')
    const objects = objectsIn(text)
    expect(workload(objects, 'app=istiod').container('discovery').image).toBe(istio.images.pilot.reference)
    expect(meshConfigOf(objects)).toMatchObject({
      defaultHttpRetryPolicy: { attempts: hopLimits.retries },
      defaultConfig: { concurrency: hopLimits.workers },
    })
    expect(meshConfigOf(objects)).not.toHaveProperty('defaultConfig.proxyMetadata')
    for (const image of imagesIn(objects)) expect(pulled('istio-sidecar')).toContain(image)
  })

  test('ambient: what is billed and proved is there, from the distroless variant, HBONE on', async () => {
    const objects = objectsIn(await render('ambient'))
    expect(workload(objects, 'app=istiod').pod?.nodeSelector).toMatchObject({
      'kubernetes.io/hostname': 'control-plane',
    })
    workload(objects, 'app=istiod').container('discovery')
    workload(objects, 'k8s-app=istio-cni-node').container('install-cni')
    const ztunnel = workload(objects, 'app=ztunnel').container('istio-proxy')
    expect(ztunnel.env).toContainEqual({ name: 'ZTUNNEL_WORKER_THREADS', value: String(hopLimits.workers) })
    // The chart writes quantities without quotes.
    expect(parse(toYaml([ztunnel.resources ?? {}]), { schema: 'failsafe' })).toEqual(proxyResources)
    for (const image of imagesIn(objects)) expect(pulled('istio-ambient')).toContain(image)
    expect(meshConfigOf(objects)).toHaveProperty(
      'defaultConfig.proxyMetadata.ISTIO_META_ENABLE_HBONE',
      'true',
    )
  })
})

/** The mesh config that istiod's chart writes into a ConfigMap. */
function meshConfigOf(objects: readonly Rendered[]): unknown {
  const map = objects.find(({ kind, data }) => kind === 'ConfigMap' && data?.mesh !== undefined)
  return parse(map?.data?.mesh ?? '')
}

describe.skipIf(noCilium !== undefined)('Cilium’s chart', () => {
  const modes = {
    cilium: { encryption: 'none', mutualAuth: true },
    'cilium-wireguard': { encryption: 'wireguard', mutualAuth: false },
    'cilium-ztunnel': { encryption: 'ztunnel', mutualAuth: false },
    'cilium-gateway': { encryption: 'none', mutualAuth: false, gateways: true },
  } as const satisfies Record<string, Partial<CiliumOptions>>
  // As long as kind's names of runs really are: charts have limits.
  const controlPlane = `${clusterName(newRunId(new Date()), 'kind/cilium')}-control-plane`
  const releaseOf = (mesh: keyof typeof modes): Release => ({
    release: 'cilium',
    chart: ciliumChart?.cilium ?? '',
    namespace: 'kube-system',
    values: ciliumValues({
      gateways: false,
      ...modes[mesh],
      hubble: true,
      apiServer: { host: controlPlane, port: 6443 },
      nodes: { 'control-plane': controlPlane, waypoint: controlPlane },
      imagesByTag: true,
    }),
  })
  const names = Object.keys(modes) as (keyof typeof modes)[]
  const render = async (mesh: keyof typeof modes) => {
    const release = releaseOf(mesh)
    return objectsIn(await helm(release, release.values))
  }

  test.each(names)(
    '%s: every value is known, and has an effect where cilium does not have the same',
    async (mesh) => {
      expect(await unknownValues(releaseOf(mesh))).toEqual([])
      const tried = mesh === 'cilium' ? {} : (releaseOf('cilium').values as Values)
      expect(await withoutEffect(releaseOf(mesh), tried)).toEqual([])
    },
    8 * minutes,
  )

  test('pods of every namespace are pulled with the secrets that are named, and no chart makes SPIRE’s', async () => {
    const { values, ...release } = releaseOf('cilium')
    const objects = objectsIn(
      await helm({ ...release, values }, { ...values, imagePullSecrets: [{ name: 'registry' }] }),
    )
    for (const { kind, metadata, spec } of objects) {
      if (spec?.template)
        expect(spec.template.spec.imagePullSecrets, `${kind} ${metadata.name}`).toEqual([
          { name: 'registry' },
        ])
      expect(`${kind} ${metadata.name}`).not.toBe('Namespace cilium-spire')
    }
    expect(objects.filter(({ metadata }) => metadata.namespace === 'cilium-spire')).not.toEqual([])
  })

  test.each(names)('%s: its images are the ones that are pulled ahead', async (mesh) => {
    expect([...imagesIn(await render(mesh))].sort()).toEqual([...pulled(mesh)].sort())
  })

  test.each(names)('%s: agent, operator and Envoy are where they are billed and read', async (mesh) => {
    const objects = await render(mesh)
    workload(objects, 'k8s-app=cilium', 'kube-system').container('cilium-agent')
    expect(workload(objects, 'io.cilium/app=operator', 'kube-system').object?.spec?.replicas).toBe(1)
    const envoy = workload(objects, 'k8s-app=cilium-envoy', 'kube-system').container('cilium-envoy')
    expect(envoy.args?.join(' ')).toMatch(new RegExp(`--concurrency ${hopLimits.workers}( |$)`))
    expect(envoy.ports).toContainEqual(expect.objectContaining({ containerPort: envoyMetricsPort }))
    expect(envoy.resources).toEqual(proxyResources)
    const config = objects.find(({ metadata }) => metadata.name === 'cilium-config')?.data
    expect(config).toMatchObject({
      'http-request-timeout': String(hopLimits.requestTimeoutMs / 1000),
      'http-retry-count': String(hopLimits.retries),
    })
    expect(config?.['enable-wireguard']).toBe(mesh === 'cilium-wireguard' ? 'true' : undefined)
  })

  test('cilium: SPIRE is in its own namespace', async () => {
    const objects = await render('cilium')
    const server = workload(objects, 'app=spire-server', 'cilium-spire')
    expect(server.object).toMatchObject({ kind: 'StatefulSet', metadata: { name: 'spire-server' } })
    server.container('spire-server')
    expect(workload(objects, 'app=spire-agent', 'cilium-spire').object?.kind).toBe('DaemonSet')
  })

  test('cilium-gateway: gateways are on, and their class is left to us; nowhere else are they on', async () => {
    const config = async (mesh: keyof typeof modes) =>
      (await render(mesh)).find(({ metadata }) => metadata.name === 'cilium-config')?.data
    expect(await config('cilium-gateway')).toMatchObject({
      'enable-gateway-api': 'true',
      // What makes it a mesh, and a cluster, of its own.
      'bpf-lb-sock-hostns-only': 'true',
    })
    expect(await config('cilium')).not.toHaveProperty('bpf-lb-sock-hostns-only')
    expect((await render('cilium-gateway')).map(({ kind }) => kind)).not.toContain('GatewayClass')
  })

  test('cilium-ztunnel: one worker thread, and the keys that are made beforehand', async () => {
    const objects = await render('cilium-ztunnel')
    const ztunnel = workload(objects, 'app=ztunnel-cilium', 'kube-system')
    expect(ztunnel.container('istio-proxy').env).toContainEqual({
      name: 'ZTUNNEL_WORKER_THREADS',
      value: String(hopLimits.workers),
    })
    expect(JSON.stringify(ztunnel.pod)).toContain('"cilium-ztunnel-secrets"')
  })
})
