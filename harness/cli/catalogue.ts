/** The registries, as a plan asks them. */
import { driveWith } from '../load/choice.js'
import { whyNotVaried } from '../config/varying.js'
import type { Catalogue } from '../plan/catalogue.js'
import { meshes, type MeshName } from '../../infra/meshes/index.js'
import { platforms, type PlatformName } from '../../infra/platforms/index.js'
import { experiments } from '../../scenarios/experiments/index.js'
import { paths, type PathName } from '../../scenarios/paths/index.js'

export const catalogue: Catalogue = {
  ...{ paths, meshes, platforms, experiments, driveWith },
  whyNotVaried: (variant, mesh, path, platform) =>
    whyNotVaried(
      variant,
      meshes[mesh as MeshName],
      paths[path as PathName],
      platforms[platform as PlatformName],
    ),
}
