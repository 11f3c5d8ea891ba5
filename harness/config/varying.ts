/** What a variant can change: asked by the config's checks and by the plan. */
import type { z } from 'zod'
import type { Hop, Mesh, OwnProgram, Path, Platform, Variant } from '../model.js'
import { hasProtectedLegs } from '../model/paths.js'
import { calledServices, ownPrograms } from '../model/variants.js'
import { meshes } from '../../infra/meshes/index.js'
import { platforms, type PlatformName } from '../../infra/platforms/index.js'
import { paths } from '../../scenarios/paths/index.js'
import { describeIssue } from './problems.js'

const layerOf: Readonly<Record<OwnProgram, Hop['layer']>> = { proxy: 'l7', tunnel: 'l4' }

/**
 * Why a variant cannot change anything of a mesh's arm on a path of this platform; undefined where it can, or where it is to
 * change nothing.
 */
export function whyNotVaried(
  { settings, builds }: Variant,
  mesh: Mesh,
  path: Path,
  platform: Pick<Platform, 'name' | 'raisesServices'>,
): string | undefined {
  const programs = ownPrograms.filter((program) => program in builds)
  const keys = Object.keys(settings)
  if (programs.length + keys.length === 0) return undefined
  if (!mesh.varies) return `${mesh.name} is the same for all of its arms, so it cannot be varied`
  if (programs.length > 0 && !programs.some((program) => mesh.varies?.includes(program)))
    return `${mesh.name} runs no ${programs.join(' or ')} of this repository`
  const whyNot = mesh.whyNot?.(settings, path)
  if (whyNot !== undefined) return `of ${mesh.name}: ${whyNot}`
  const lacking = unknownAtTop(mesh, settings)
  if (lacking.length > 0) return `${mesh.name} has no setting ${lacking.join(', ')}`
  // Of fields that are not here the mesh's own settings may have some.
  const wrong = whatIsWrong(
    mesh,
    settings,
    ({ code, input }) => code === 'unrecognized_keys' || input !== undefined,
  )
  if (wrong !== undefined) return wrong
  const fixed = keys.filter((key) => mesh.variesIn?.includes(key) === false)
  if (fixed.length > 0) return `${fixed.join(', ')}: the same for all arms of ${mesh.name}`
  const called = calledServices(settings)
  if (called.length > 0 && !platform.raisesServices)
    return `it needs a service (${called.join(', ')}), which ${platform.name} does not raise; ${raising()} do`
  const touched = ownPrograms.filter((program) => programs.includes(program) || keys.includes(program))
  if (keys.includes('transport') && !hasProtectedLegs(path))
    return `no leg of ${mesh.name}/${path.name} is encrypted`
  // What is of no program is of the mesh, whatever the path.
  if (keys.some((key) => !touched.some((program) => program === key))) return undefined
  const layers = touched.map((program) => layerOf[program])
  if (path.hops.some(({ layer }) => layers.includes(layer))) return undefined
  return `no ${layers.map((layer) => layer.toUpperCase()).join(' or ')} hop is on ${mesh.name}/${path.name}`
}

/** The same by their names; undefined, too, of a mesh or a path that there is not. */
export function whyNotVariedByName(
  variant: Variant,
  mesh: string,
  path: string,
  platform: string,
): string | undefined {
  const { [mesh]: known }: Readonly<Record<string, Mesh>> = meshes
  const { [path]: along }: Readonly<Record<string, Path>> = paths
  return known && along && whyNotVaried(variant, known, along, platforms[platform as PlatformName])
}

/** What is wrong with settings of a mesh, or with what a variant lays over them; undefined where nothing is. */
export function whatIsWrong(
  { name, settings: schema }: Mesh,
  settings: Readonly<Record<string, unknown>>,
  counts: (issue: z.core.$ZodIssue) => boolean = () => true,
): string | undefined {
  const issue = schema?.safeParse(settings, { reportInput: true }).error?.issues.find(counts)
  return issue && `of ${name}: ${describeIssue(issue, schema as z.ZodType)}`
}

function unknownAtTop({ settings: schema }: Mesh, settings: Readonly<Record<string, unknown>>): string[] {
  const issues = schema?.safeParse(settings).error?.issues ?? []
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
  )
}

const raising = () =>
  Object.values<Platform>(platforms)
    .filter(({ raisesServices }) => raisesServices)
    .map(({ name }) => name)
    .join(', ')
