/** The registries with platforms that are otherwise than they are. */
import { catalogue } from '../cli/catalogue.js'
import type { Platform } from '../model.js'
import type { Catalogue } from '../plan/catalogue.js'

export function catalogueOn(change: Partial<Pick<Platform, 'environments' | 'times'>>): Catalogue {
  const platforms = Object.entries(catalogue.platforms).map(([name, own]) => [name, { ...own, ...change }])
  return { ...catalogue, platforms: Object.fromEntries(platforms) as Catalogue['platforms'] }
}
