/** What the scripts of an experiment come to on a platform and a mesh: which arms can have them, and how long they take. */
import { UserError } from '../model/errors.js'
import type { Arm, LabelledLoad, LoadSpec, Script } from '../model.js'
import { named, type Catalogue } from './catalogue.js'

/** None for a baseline, which has no hops to act on. */
export function scriptOf(
  script: LabelledLoad['script'],
  { role, path }: Pick<Arm, 'role' | 'path'>,
  { paths }: Catalogue,
): Script | undefined {
  if (role !== 'subject') return undefined
  return typeof script === 'function' ? script(named(paths, path)) : script
}

/** Throws a `UserError` where the platform cannot do what the scripts of these loads ask. */
export function refuseChanges(
  experiment: string,
  platform: string,
  scripts: readonly Script[],
  { platforms }: Catalogue,
): void {
  const isChanging = scripts.some((script) => script.some((action) => 'change' in action))
  if (!isChanging || named(platforms, platform).changesHops) return
  const able = Object.values(platforms).flatMap(({ name, changesHops }) => (changesHops ? [name] : []))
  throw new UserError(`${experiment} ends, pauses or starts hops: ${platform} cannot`, {
    hint: `measure it with --platform ${able.join(' or ')}`,
  })
}

/**
 * Whether an arm can be put under a load with this script. A second load along spare hops cannot be had where the mesh has one
 * program of each for all of its node: it would take the arm's own.
 */
export function canHave(
  script: Script | undefined,
  { mesh, path }: Pick<Arm, 'mesh' | 'path'>,
  { paths, meshes }: Catalogue,
): boolean {
  const hops = paths[path]?.hops ?? []
  const isShared = hops.length > 0 && hops.every(({ role }) => meshes[mesh]?.nodeWide?.includes(role))
  return !isShared || !script?.some((action) => 'load' in action && action.along === 'spare')
}

/** The load with the time that its script's starts take where they take long: the same for every arm under it. */
export function withRestarts(
  load: LoadSpec,
  platform: string,
  scripts: readonly Script[],
  { platforms }: Catalogue,
): LoadSpec {
  const starts = (script: Script) =>
    script.filter((action) => 'change' in action && action.change.do === 'start').length
  const most = Math.max(0, ...scripts.map(starts))
  return { ...load, durationMs: load.durationMs + most * (platforms[platform]?.changesHops?.restartMs ?? 0) }
}
