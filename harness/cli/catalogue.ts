/** The registries, as a plan asks them. */
import { driveWith } from '../load/choice.js'
import { whyNotVariedByName } from '../config/varying.js'
import type { Catalogue } from '../plan/catalogue.js'
import { meshes } from '../../infra/meshes/index.js'
import { platforms } from '../../infra/platforms/index.js'
import { experiments } from '../../scenarios/experiments/index.js'
import { paths } from '../../scenarios/paths/index.js'

export const catalogue: Catalogue = {
  ...{ paths, meshes, platforms, experiments, driveWith },
  whyNotVaried: whyNotVariedByName,
}
