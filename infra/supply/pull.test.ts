import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NeededDownloads } from '../../harness/model.js'
import { meshes } from '../meshes/index.js'
import { downloadsOnAllPaths } from '../meshes/clusters/testing.js'
import { kind } from '../platforms/kind/kind.js'
import { hostCgroup } from '../platforms/kind/preflight.js'
import { kubernetes } from '../platforms/kubernetes/kubernetes.js'
import { paths, type PathName } from '../../scenarios/paths/index.js'
import { UserError } from '../../harness/model/errors.js'
import {
  inCache,
  defaultCacheDir,
  listPulls,
  mirrored,
  pullAhead,
  renderPulls,
  type PullItem,
} from './pull.js'
import { cilium, nodeImageFor, nodeImages, tools, unknownDigest } from './versions.js'

/** What a run on kind needs for all paths of some meshes. */
function onKind(names: readonly string[], settings: unknown = {}): readonly NeededDownloads[] {
  const ofMeshes = names.map((mesh) => ({ neededBy: mesh, ...downloadsOnAllPaths(mesh) }))
  return [...(kind.downloads?.(settings, ofMeshes) ?? []), ...ofMeshes]
}

const ambient = onKind(['istio-ambient'])

describe('listPulls', () => {
  test('a kind run of the reference mesh needs kind, kubectl and a node image, and no helm', () => {
    const items = listPulls(onKind(['reference']))
    expect(items.map(({ name }) => name)).toEqual(['kind', 'kubectl', 'docker.io/kindest/node'])
  })

  test('ambient adds helm, the Gateway API, four charts and its images, each once', () => {
    const items = listPulls(onKind(['istio-ambient', 'istio-sidecar']))
    expect(items.filter(({ kind }) => kind === 'chart').map(({ name }) => name)).toEqual([
      'base',
      'istiod',
      'cni',
      'ztunnel',
    ])
    expect(items.find(({ name }) => name === 'base')?.neededBy).toBe('istio-ambient, istio-sidecar')
    expect(new Set(items.map(({ cachePath }) => cachePath)).size).toBe(items.length)
    expect(items.some(({ name }) => name === 'helm')).toBe(true)
    expect(items.some(({ name }) => name === 'gateway-api')).toBe(true)
  })

  test.each([
    ['istio-sidecar', true],
    ['cilium-gateway', true],
    ['cilium', false],
  ])('%s: the Gateway API is pulled where a path may come through a gateway', (mesh, needed) => {
    const items = listPulls(onKind([mesh]))
    expect(items.some(({ name }) => name === 'gateway-api')).toBe(needed)
  })

  test('images that the config names are listed, instead of the pinned one of the nodes where that is meant', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const items = listPulls(
      onKind(['reference'], {
        nodeImage: 'kindest/node:v9',
        baseImage: `registry.example:5000/base:1@${digest}`,
      }),
    )
    expect(
      items.filter(({ kind }) => kind === 'image').map(({ source, digest: pin }) => [source, pin]),
    ).toEqual([
      ['kindest/node:v9', unknownDigest],
      [`registry.example:5000/base:1@${digest}`, digest],
    ])
  })

  test('a cluster that exists is driven with tools, and has its nodes already', () => {
    const items = listPulls(kubernetes.downloads?.({}, [{ charts: [cilium.charts.cilium] }]) ?? [])
    expect(items.map(({ name }) => name)).toEqual(['kubectl', 'helm'])
  })

  test('what authenticates mutually is pulled for the arm that does, and for no other', () => {
    const imagesOn = (...names: PathName[]) =>
      meshes.cilium
        .downloads?.(names.map((name) => paths[name]))
        ?.images?.map(({ reference }) => reference) ?? []
    expect(imagesOn('l4-kernel').join()).not.toMatch(/spire|busybox/)
    expect(imagesOn('l4-kernel', 'l4-kernel-mutual-auth').join()).toMatch(/spire-server.*busybox/)
  })

  test('mirrors replace the longest prefix and keep tag and digest', () => {
    const mirrors = { 'docker.io': 'mirror.example/hub', 'docker.io/kindest': 'mirror.example/kind' }
    const image = listPulls(ambient, { mirrors }).find(({ kind }) => kind === 'image')
    expect(image?.source).toBe(
      `mirror.example/kind/node:v${nodeImageFor(hostCgroup()).kubernetes}@${nodeImageFor(hostCgroup()).digest}`,
    )
    expect(image?.tag).toBe(`docker.io/kindest/node:v${nodeImageFor(hostCgroup()).kubernetes}`)
    expect(mirrored('docker.io/istio/pilot:1', mirrors)).toBe('mirror.example/hub/istio/pilot:1')
    expect(mirrored('docker.iox/a', mirrors)).toBe('docker.iox/a')
    const charts = listPulls(ambient, { mirrors: { 'blob.istio.io': 'http://charts.example' } })
    expect(charts.find(({ kind }) => kind === 'chart')?.source).toBe(
      'http://charts.example/istio-release/charts',
    )
  })

  test('the listing marks what is not pinned and counts it', () => {
    const items = listPulls(ambient)
    const unpinned = items.filter(({ digest }) => digest === unknownDigest).length
    expect(unpinned).toBeGreaterThan(0)
    expect(renderPulls(items)).toContain(`${unpinned} of ${items.length} have no known digest`)
    expect(renderPulls(items).match(/NOT PINNED/g)).toHaveLength(unpinned)
    const sources = items.map(({ source }, index) => renderPulls(items).split('\n')[index]?.indexOf(source))
    expect(new Set(sources).size).toBe(1)
    expect(renderPulls([])).toContain('nothing to pull')
  })
})

describe('versions', () => {
  test('digests are whole, and tools are pinned for Linux on both architectures', () => {
    for (const tool of Object.values(tools)) {
      for (const platform of ['linux/amd64', 'linux/arm64'] as const) {
        expect(tool.sha256[platform]).toMatch(/^[0-9a-f]{64}$/)
        expect(tool.url(platform)).toContain(tool.version)
      }
    }
    for (const { digest } of nodeImages) expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    const items = listPulls(onKind(['istio-ambient', 'istio-sidecar', 'cilium']))
    for (const { digest } of items) expect(digest).toMatch(/^(?:unknown|(?:sha256:)?[0-9a-f]{64})$/)
  })

  test('a cgroup v1 host gets a Kubernetes whose kubelet still starts there', () => {
    expect(nodeImageFor('v1').kubernetes).toMatch(/^1\.34\./)
    expect(nodeImageFor('v2').kubernetes).toBe('1.36.4')
  })
})

describe('pullAhead', () => {
  let cacheDir: string
  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'meshbench-pull-'))
  })
  afterEach(() => rm(cacheDir, { recursive: true, force: true }))

  const content = 'kind: List\n'
  const manifest: PullItem = {
    kind: 'manifest',
    name: 'm',
    version: '1',
    source: 'https://example.test/m.yaml',
    digest: createHash('sha256').update(content).digest('hex'),
    neededBy: 'x',
    cachePath: 'manifests/m.yaml',
  }
  const hostPlatform = 'linux/amd64' as const
  const answer =
    (text: string, status = 200) =>
    async () =>
      new Response(text, { status })

  test('downloads, verifies, and does not download twice', async () => {
    const notes: string[] = []
    const note = (text: string) => notes.push(text)
    const options = { cacheDir, hostPlatform, note, fetch: answer(content) }
    await pullAhead([manifest], options)
    expect(await readFile(join(cacheDir, manifest.cachePath), 'utf8')).toBe(content)
    const offline = { ...options, fetch: async () => Promise.reject(new Error('no network')) }
    await pullAhead([manifest], offline)
    expect(notes).toEqual(['pull manifest m 1', 'have manifest m 1'])
  })

  test('a wrong digest is refused and nothing is kept', async () => {
    const pull = pullAhead([manifest], { cacheDir, hostPlatform, fetch: answer('tampered') })
    await expect(pull).rejects.toThrow(/has SHA-256 [0-9a-f]{64}, not /)
    expect(await readdir(join(cacheDir, 'manifests'))).toEqual([])
  })

  test('two that pull the same at once do not meet, and what a killed one left goes', async () => {
    await mkdir(join(cacheDir, 'manifests'))
    const others = ['m.yaml.1.partial', 'm.yaml.2.partial'].map((name) => join(cacheDir, 'manifests', name))
    for (const other of others) await writeFile(other, 'half of it')
    await utimes(others[0] ?? '', new Date(0), new Date(0))
    await pullAhead([manifest], { cacheDir, hostPlatform, fetch: answer(content) })
    expect((await readdir(join(cacheDir, 'manifests'))).sort()).toEqual(['m.yaml', 'm.yaml.2.partial'])
  })

  test('two images of one tag are two, and each has a file of its own', () => {
    const images = ['a', 'b'].map((digit) => ({
      ...{ reference: 'registry.example/envoy:1', digest: `sha256:${digit.repeat(64)}` },
    }))
    expect(listPulls([{ neededBy: 'x', images }])).toHaveLength(2)
  })

  test('an archive is found by its digest, and one that was laid there by its tag alone after it', async () => {
    const images = [{ reference: 'registry.example/envoy:1', digest: `sha256:${'a'.repeat(64)}` }]
    const [item] = listPulls([{ neededBy: 'x', images }])
    const found = () => inCache(item!, cacheDir)
    expect(await found()).toBeUndefined()
    const byTag = join(cacheDir, 'images', 'registry.example_envoy_1.tar')
    await mkdir(join(cacheDir, 'images'))
    await writeFile(byTag, 'archive')
    expect(await found()).toBe(byTag)
    await writeFile(join(cacheDir, item!.cachePath), 'archive')
    expect(await found()).toBe(join(cacheDir, item!.cachePath))
  })

  test('a file in the cache that has changed is fetched again', async () => {
    const options = { cacheDir, hostPlatform, fetch: answer(content) }
    const [file = ''] = await pullAhead([manifest], options)
    await writeFile(file, 'changed')
    await pullAhead([manifest], options)
    expect(await readFile(file, 'utf8')).toBe(content)
  })

  test('an unreachable or refusing host is a user error with what to do', async () => {
    const unreachable = pullAhead([manifest], {
      cacheDir,
      hostPlatform,
      fetch: async () => Promise.reject(new Error('ENOTFOUND')),
    })
    await expect(unreachable).rejects.toThrow('https://example.test/m.yaml cannot be fetched: ENOTFOUND.')
    await expect(unreachable).rejects.toBeInstanceOf(UserError)
    const refused = pullAhead([manifest], { cacheDir, hostPlatform, fetch: answer('no', 403) })
    await expect(refused).rejects.toThrow('answered 403')
  })

  test('a download that breaks off, or that never ends, is one as well, and nothing is kept', async () => {
    const options = { cacheDir, hostPlatform, timeoutMs: 50 }
    const streaming = (start: (controller: ReadableStreamDefaultController) => void) => async () =>
      new Response(new ReadableStream({ start }))
    const broken = new TypeError('terminated', { cause: new Error('other side closed') })
    const cut = pullAhead([manifest], { ...options, fetch: streaming((body) => body.error(broken)) })
    await expect(cut).rejects.toThrow('https://example.test/m.yaml cannot be fetched: other side closed.')
    await expect(cut).rejects.toBeInstanceOf(UserError)
    const silent = pullAhead([manifest], {
      ...options,
      fetch: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
    })
    await expect(silent).rejects.toThrow('cannot be fetched: The operation was aborted due to timeout.')
    expect(await readdir(join(cacheDir, 'manifests'))).toEqual([])
  })

  test('an image is pulled by digest, tagged and saved as an archive', async () => {
    const commands: string[][] = []
    const image = listPulls(ambient, { mirrors: { 'docker.io': 'mirror.example' } }).find(
      ({ kind }) => kind === 'image',
    )
    if (!image) throw new Error('no image listed')
    await pullAhead([image], {
      cacheDir,
      hostPlatform: 'darwin/arm64',
      run: async (argv) => {
        commands.push([...argv])
        const output = argv.indexOf('--output')
        if (output > 0) await writeFile(argv[output + 1] ?? '', 'archive')
        return { code: 0, stdout: '', stderr: '' }
      },
    })
    expect(commands.map((argv) => argv.slice(0, 2).join(' '))).toEqual([
      'docker pull',
      'docker tag',
      'docker save',
    ])
    expect(commands[0]).toContain('linux/arm64')
    // Of the one platform whose contents were pulled.
    expect(commands[2]?.join(' ')).toMatch(/^docker save --platform linux\/arm64 --output /)
    expect(commands[0]?.at(-1)).toBe(image.source)
    expect(image.source).toMatch(/^mirror\.example\/kindest\/node:v1\.\d+\.\d+@sha256:/)
    expect(await readFile(join(cacheDir, image.cachePath), 'utf8')).toBe('archive')
  })

  test('a chart comes from helm and lands under its name and version', async () => {
    const chart = listPulls(ambient).find(({ name }) => name === 'istiod')
    if (!chart) throw new Error('no chart listed')
    await pullAhead([chart], {
      cacheDir,
      hostPlatform,
      helm: '/cache/helm',
      run: async (argv) => {
        expect(argv[0]).toBe('/cache/helm')
        const folder = argv[argv.indexOf('--destination') + 1] ?? ''
        const { mkdir } = await import('node:fs/promises')
        await mkdir(folder, { recursive: true })
        await writeFile(join(folder, `istiod-${chart.version}.tgz`), 'chart')
        return { code: 0, stdout: '', stderr: '' }
      },
    })
    expect(await readdir(join(cacheDir, 'charts'))).toEqual([`istiod-${chart.version}.tgz`])
  })
})

test('the cache folder follows its variable, then the user cache folder', () => {
  expect(defaultCacheDir({ MESHBENCH_CACHE: '/a' })).toBe('/a')
  expect(defaultCacheDir({ XDG_CACHE_HOME: '/b' })).toBe('/b/meshbench')
  // As an unset variable of a script leaves it.
  expect(defaultCacheDir({ MESHBENCH_CACHE: '', XDG_CACHE_HOME: '/b' })).toBe('/b/meshbench')
})
