/** What a plan asks of the registries that a config names things of; handed in, so that it can be tested with others. */
import type { Experiment } from '../../scenarios/experiments/experiment.js'
import type { EngineName, LoadSpec, Mesh, Path, Platform, Variant } from '../model.js'

type Named<T> = Readonly<Record<string, T>>

export interface Catalogue {
  readonly paths: Named<Path>
  readonly meshes: Named<Pick<Mesh, 'family' | 'nodeWide' | 'placeOf'>>
  readonly platforms: Named<Pick<Platform, 'name' | 'environments' | 'times' | 'hasUnits' | 'changesHops'>>
  readonly experiments: Named<Pick<Experiment, 'loads' | 'rounds' | 'carries' | 'comparesLoads'>>
  /** Why a variant can change nothing of a mesh's arm on a path of a platform; undefined where it can. */
  readonly whyNotVaried: (
    variant: Variant,
    mesh: string,
    path: string,
    platform: string,
  ) => string | undefined
  readonly driveWith: (load: LoadSpec, engine: EngineName) => LoadSpec
}

/** Throws for a name that the registry does not have. */
export function named<T>(registry: Named<T>, name: string): T {
  const found = registry[name]
  if (!found) throw new Error(`nothing is named ${name}`)
  return found
}
