/** What helm and kubectl are given: files that were checked, wherever they came from. */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { cilium, gatewayApi, istio } from '../../supply/versions.js'
import { assetsFrom } from './steps.js'

let cacheDir: string
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'meshbench-assets-'))
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await rm(cacheDir, { recursive: true })
})

/** A helm that pulls a chart with this in it. */
const helmPulling = (content: string) => {
  const asked: string[] = []
  const helm = async (args: readonly string[]) => {
    asked.push(args.join(' '))
    const folder = args[args.indexOf('--destination') + 1] ?? ''
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, `${args[1]}-${args[args.indexOf('--version') + 1]}.tgz`), content)
    return ''
  }
  return { asked, helm }
}

it('fetches a manifest with a digest into the cache, and gives kubectl none that is another', async () => {
  vi.stubGlobal('fetch', async () => new Response('kind: Tampered'))
  const assets = assetsFrom({}, { cacheDir }, helmPulling(''))
  await expect(assets.manifest(gatewayApi)).rejects.toThrow(`not ${gatewayApi.sha256}`)
  expect(await readdir(join(cacheDir, 'manifests'))).toEqual([])
})

it('has helm pull a chart with a digest into the cache, and gives it none that is another', async () => {
  const { asked, helm } = helmPulling('another chart')
  const mirrors = { 'helm.cilium.io': 'charts.example' }
  const assets = assetsFrom({}, { cacheDir, mirrors }, { helm })
  await expect(assets.chart(cilium.charts.cilium)).rejects.toThrow(`not ${cilium.charts.cilium.sha256}`)
  expect(asked.join()).toMatch(
    /^pull cilium --repo https:\/\/charts\.example --version 1\.\d+\.\d+ --destination /,
  )
  expect(await readdir(join(cacheDir, 'charts'))).toEqual([])
})

it('takes what was pulled ahead, and lets helm fetch a chart itself whose digest nobody knows', async () => {
  const { asked, helm } = helmPulling('')
  const assets = assetsFrom({}, { cacheDir }, { helm })
  const { name, version, repository } = istio.charts.istiod
  expect(await assets.chart(istio.charts.istiod)).toEqual([name, '--repo', repository, '--version', version])
  const file = join(cacheDir, 'charts', `${name}-${version}.tgz`)
  await mkdir(join(cacheDir, 'charts'))
  await writeFile(file, 'chart')
  expect(await assets.chart(istio.charts.istiod)).toEqual([file])
  expect(await readFile(file, 'utf8')).toBe('chart')
  expect(asked).toEqual([])
})
