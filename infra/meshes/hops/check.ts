/** Needs that all meshes from Helm charts share. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EnvironmentRequest, Unmet } from '../../../harness/model.js'
import {
  defaultCacheDir,
  listPulls,
  pullAheadRemedy,
  pullCommandFor,
  type Mirrors,
  type PullItem,
} from '../../supply/pull.js'
import { reachable, registryOf } from '../../../harness/process/reachable.js'
import { hasGateway } from '../clusters/gateway-api.js'

/**
 * What the mesh is installed from and is neither in the cache nor to be had: one line for each place it comes from. The
 * images of a cluster that exists already come from wherever its nodes pull, so that only kind's are asked for.
 */
export async function checkDownloads(
  request: EnvironmentRequest,
  mesh: string,
  isReachable: (url: string) => Promise<boolean> = reachable,
): Promise<readonly Unmet[]> {
  const { platform, meshSettings } = request.config
  const settings = (meshSettings[mesh] ?? {}) as { readonly mirrors?: Mirrors; readonly cacheDir?: string }
  const { mirrors = {}, cacheDir = defaultCacheDir() } = settings
  // Neither architecture nor cgroup matters to charts, manifests and images of meshes.
  const items = listPulls({
    platform: 'kubernetes',
    meshes: [mesh],
    hostPlatform: 'linux/amd64',
    cgroup: 'v2',
    mirrors,
  })
  // Sidecars alone need no Gateway API.
  const gateways = mesh !== 'istio-sidecar' || request.paths.some(hasGateway)
  const wanted = items.filter(
    ({ kind }) => (kind !== 'image' || platform === 'kind') && (kind !== 'manifest' || gateways),
  )
  const places = new Map<string, PullItem[]>()
  for (const item of wanted) {
    if (await isThere(join(cacheDir, item.cachePath))) continue
    const { url } = placeOf(item)
    places.set(url, [...(places.get(url) ?? []), item])
  }
  const unmet = await Promise.all(
    [...places].map(async ([url, missing]): Promise<readonly Unmet[]> => {
      const [first] = missing
      if (!first || (await isReachable(url))) return []
      const things = missing.map(({ name, version }) => `${name.split('/').at(-1)} ${version}`).join(', ')
      return [
        {
          need: `${mesh}: ${first.kind}${missing.length > 1 ? 's' : ''} ${things}`,
          found: `not in ${cacheDir}, and ${placeOf(first).name} cannot be reached`,
          remedy: `${pullAheadRemedy(pullCommandFor([mesh]))}, or name a mirror in meshSettings.${mesh}.mirrors`,
        },
      ]
    }),
  )
  return unmet.flat()
}

/** Where something answers if the item can be had, and what a person calls it. */
function placeOf({ kind, source }: PullItem): { readonly url: string; readonly name: string } {
  if (kind === 'chart' && !source.startsWith('oci://')) return { url: `${source}/index.yaml`, name: source }
  if (kind === 'manifest') return { url: source, name: source }
  const registry = registryOf(source.replace('oci://', ''))
  return { url: `https://${registry}/v2/`, name: registry }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    ({ size }) => size > 0,
    () => false,
  )
}
