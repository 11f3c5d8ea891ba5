/** Needs that all meshes from Helm charts share. */
import type { EnvironmentRequest, Mesh, Platform, Unmet } from '../../../harness/model.js'
import {
  defaultCacheDir,
  inCache,
  listPulls,
  pullAheadRemedy,
  pullCommandFor,
  type PullItem,
} from '../../supply/pull.js'
import { reachable, registryOf } from '../../../harness/process/reachable.js'
import { settingsFor, sourceSettings } from '../clusters/settings.js'
import { pathsOf } from '../paths-of.js'

/**
 * What the mesh is installed from and is neither in the cache nor to be had: one line for each place it comes from. The
 * images of a cluster that exists already come from wherever its nodes pull, so that only those of new ones are asked for.
 */
export async function checkDownloads(
  { name: mesh, downloads }: Pick<Mesh, 'name' | 'downloads'>,
  request: EnvironmentRequest,
  { offers }: Pick<Platform, 'offers'>,
): Promise<readonly Unmet[]> {
  const { mirrors, cacheDir = defaultCacheDir() } = settingsFor(sourceSettings, mesh, request)
  const all = { neededBy: mesh, ...downloads?.(pathsOf(mesh, request), request.config.meshSettings[mesh]) }
  const needed = offers.includes('new-cluster') ? all : { ...all, images: [] }
  const places = new Map<string, PullItem[]>()
  for (const item of listPulls([needed], { mirrors })) {
    if ((await inCache(item, cacheDir)) !== undefined) continue
    const { url } = placeOf(item)
    places.set(url, [...(places.get(url) ?? []), item])
  }
  const unmet = await Promise.all(
    [...places].map(async ([url, missing]): Promise<readonly Unmet[]> => {
      const [first] = missing
      if (!first || (await reachable(url))) return []
      const things = missing.map(({ name, version }) => `${name.split('/').at(-1)} ${version}`).join(', ')
      return [
        {
          need: `${mesh}: ${first.kind}${missing.length > 1 ? 's' : ''} ${things}`,
          found: `not in ${cacheDir}, and ${placeOf(first).name} cannot be reached`,
          remedy: `${pullAheadRemedy(pullCommandFor(request.config.platform, [mesh]))}, or name a mirror in meshSettings.${mesh}.mirrors`,
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
