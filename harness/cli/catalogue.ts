/** Ties the registries to what the plan asks of them. */
import { driveWith } from '../load/choice.js'
import type { Mesh, Platform } from '../model.js'
import { whyNotVaried } from '../config/varying.js'
import type { Catalogue } from '../plan/plan.js'
import { meshes, type MeshName } from '../../infra/meshes/index.js'
import { platforms, type PlatformName } from '../../infra/platforms/index.js'
import { experiments, type ExperimentName } from '../../scenarios/experiments/index.js'
import type { Experiment } from '../../scenarios/experiments/experiment.js'
import { paths, type PathName } from '../../scenarios/paths/index.js'

const experimentOf = (name: string) => experiments[name as ExperimentName] as Experiment

export const catalogue: Catalogue = {
  paths,
  environmentsOf: (platform) => platforms[platform as PlatformName].environments,
  familyOf: (mesh) => (meshes[mesh as MeshName] as Mesh | undefined)?.family,
  timesOf: (platform) => platforms[platform as PlatformName].times,
  haveUnits: Object.values<Platform>(platforms).flatMap(({ name, hasUnits }) => (hasUnits ? [name] : [])),
  restartMs: Object.fromEntries(
    Object.values<Platform>(platforms).flatMap(({ name, changesHops }) =>
      changesHops ? [[name, changesHops.restartMs]] : [],
    ),
  ),
  sharesHop: (mesh, { role }) =>
    (meshes[mesh as MeshName] as Mesh | undefined)?.nodeWide?.includes(role) ?? false,
  whyNotVaried: (variant, mesh, path, platform) =>
    whyNotVaried(
      variant,
      meshes[mesh as MeshName],
      paths[path as PathName],
      platforms[platform as PlatformName],
    ),
  placeOf: ({ settings }, mesh, path) =>
    (meshes[mesh as MeshName] as Mesh | undefined)?.placeOf?.(settings, paths[path as PathName]),
  loadsOf: (experiment, settings) => experimentOf(experiment).loads(settings),
  carries: (experiment, path) => experimentOf(experiment).carries?.(path) ?? true,
  comparesLoads: (experiment) => experimentOf(experiment).comparesLoads ?? false,
  driveWith,
  roundsOf: (experiment, settings) => experimentOf(experiment).rounds?.(settings),
}
