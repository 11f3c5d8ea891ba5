/**
 * Shows manifests and values to the programs that will judge them, as far as those are here: an API server for core
 * objects, istioctl for Istio's own, helm with the charts. Each is skipped, with the reason, where it is not.
 */
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { findProgram, run } from '../../harness/exec.js'
import { defaultCacheDir } from '../pull.js'
import { istio } from '../versions.js'
import { ztunnelSecrets } from './cilium/ztunnel-secrets.js'
import { istioReleases } from './istio/values.js'
import { coreObjects, serverDryRun, shapes } from './testdata/core-objects.js'
import { toYaml } from './yaml.js'

const goldenDir = fileURLToPath(new URL('testdata/golden/', import.meta.url))

async function skipReason(name: string, variable: string): Promise<string | undefined> {
  if ((await findProgram(name)) === undefined) return `${name} is not on the PATH`
  return variable !== '' && process.env[variable] === undefined ? `${variable} names nothing` : undefined
}

/** Registers a test, or one that says why it is skipped. */
function testUnless(reason: string | undefined, title: string, body: () => Promise<void>): void {
  if (reason === undefined) test(title, body)
  else test.skip(`${title} (skipped: ${reason})`, body)
}

const noCluster = await skipReason('kubectl', 'MESHBENCH_TEST_KUBECONFIG')
describe('the API server accepts core objects (dry run)', () => {
  const dryRun = (documents: readonly object[]) =>
    serverDryRun(process.env.MESHBENCH_TEST_KUBECONFIG ?? '', documents)
  for (const [name, shape] of Object.entries(shapes)) {
    testUnless(noCluster, name, async () => {
      const said = await dryRun(coreObjects(name, shape))
      expect(said.match(/\(server dry run\)/g)).toHaveLength(3)
    })
  }
  testUnless(noCluster, "keys of Cilium's ztunnel", async () => {
    expect(await dryRun([await ztunnelSecrets()])).toContain(
      'secret/cilium-ztunnel-secrets created (server dry run)',
    )
  })
  testUnless(noCluster, 'what is wrong is refused, so that acceptance means something', async () => {
    await expect(
      dryRun([
        { apiVersion: 'v1', kind: 'Service', metadata: { name: 'No Such Name', namespace: 'default' } },
      ]),
    ).rejects.toMatchObject({ tail: expect.stringContaining('is invalid') as unknown })
  })
})

const noIstioctl = await skipReason('istioctl', '')
describe('istioctl finds nothing wrong with the golden manifests', () => {
  const validate = async (text: string) => {
    const folder = await mkdtemp(join(tmpdir(), 'meshbench-istioctl-'))
    try {
      const file = join(folder, 'manifests.yaml')
      await writeFile(file, text)
      return await run(['istioctl', 'validate', '-f', file])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  /** The first document of these files is a shape, which is not for the API server. */
  const manifestsOf = (text: string) => text.split('---\n').slice(1).join('---\n')
  for (const name of ['istio-sidecar-l4', 'istio-sidecar-l7', 'istio-ambient-l4', 'istio-ambient-l7']) {
    testUnless(noIstioctl, name, async () => {
      await validate(manifestsOf(await readFile(join(goldenDir, `${name}.yaml`), 'utf8')))
    })
  }
  testUnless(noIstioctl, 'an unknown field is found', async () => {
    const text = manifestsOf(await readFile(join(goldenDir, 'istio-sidecar-l7.yaml'), 'utf8'))
    await expect(validate(text.replace('h2UpgradePolicy', 'h2UpgradePolicies'))).rejects.toThrow()
  })
})

/** Folders or archives of Istio's charts: from the cache, or from a checkout of Istio. */
async function istioCharts(): Promise<Readonly<Record<string, string>> | undefined> {
  const checkout = process.env.MESHBENCH_TEST_ISTIO_CHARTS
  const candidates = checkout
    ? {
        base: join(checkout, 'base'),
        istiod: join(checkout, 'istio-control', 'istio-discovery'),
        cni: join(checkout, 'istio-cni'),
        ztunnel: join(checkout, 'ztunnel'),
      }
    : Object.fromEntries(
        Object.keys(istio.charts).map((name) => [
          name,
          join(defaultCacheDir(), 'charts', `${name}-${istio.version}.tgz`),
        ]),
      )
  for (const path of Object.values(candidates)) {
    const there = await access(path).then(
      () => true,
      () => false,
    )
    if (!there) return undefined
  }
  return candidates
}

const charts = await istioCharts()
const noCharts =
  (await skipReason('helm', '')) ?? (charts ? undefined : "Istio's charts are neither pulled nor checked out")
describe("Istio's charts take the values", () => {
  const render = async (mode: 'sidecar' | 'ambient') => {
    const releases = istioReleases({ mode, nodes: { waypoint: 'worker3', 'control-plane': 'control-plane' } })
    const texts = await Promise.all(
      releases.map(async ({ release, chart, values }) => {
        const argv = ['helm', 'template', release, charts?.[chart.name] ?? '', '--namespace', 'istio-system']
        const { stdout } = await run([...argv, '--kube-version', '1.36.4', '--values', '-'], {
          input: toYaml([values]),
        })
        return stdout
      }),
    )
    return texts.join('\n')
  }
  testUnless(noCharts, 'sidecar: limits, retries and images arrive, and nothing of ambient', async () => {
    const text = await render('sidecar')
    expect(text).toContain(`image: "docker.io/istio/pilot:${istio.version}"`)
    expect(meshConfigOf(text)).toMatchObject({
      defaultHttpRetryPolicy: { attempts: 0 },
      defaultConfig: { concurrency: 1 },
    })
    expect(meshConfigOf(text)).not.toHaveProperty('defaultConfig.proxyMetadata')
  })
  testUnless(noCharts, 'ambient: ztunnel, cni and istiod from the distroless variant, HBONE on', async () => {
    const text = await render('ambient')
    for (const image of ['pilot', 'install-cni', 'ztunnel']) {
      expect(text).toContain(`image: "docker.io/istio/${image}:${istio.version}-distroless"`)
    }
    expect(text).toMatch(/name: ZTUNNEL_WORKER_THREADS\s+value: "1"/)
    expect(meshConfigOf(text)).toHaveProperty('defaultConfig.proxyMetadata.ISTIO_META_ENABLE_HBONE', 'true')
  })
})

/** The mesh config that istiod's chart writes into a ConfigMap. */
function meshConfigOf(rendered: string): unknown {
  const block = /^ {2}mesh: \|-\n((?: {4}.*\n)+)/m.exec(rendered)?.[1]
  if (block === undefined) throw new Error('no mesh config was rendered')
  return parse(block.replaceAll(/^ {4}/gm, ''))
}
