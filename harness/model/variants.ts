/** What a variant changes: its settings are laid over those of the mesh, its builds replace programs. Pure. */
import type { Arm, OwnProgram, Path, ResolvedConfig, Variant } from '../model.js'
import { hasProtectedLegs } from './paths.js'

type Settings = Readonly<Record<string, unknown>>

export const ownPrograms = ['proxy', 'tunnel'] as const satisfies readonly OwnProgram[]

/** The settings of an arm's mesh as its variant has them. */
export function settingsOf(
  config: ResolvedConfig,
  { mesh, variant }: Pick<Arm, 'mesh' | 'variant'>,
): Settings {
  const own = (config.meshSettings[mesh] ?? {}) as Settings
  return overlay(own, variantOf(config, variant)?.settings ?? {})
}

/** What protects the legs of an arm of a mesh on a path; undefined: what the path says. */
export function transportOf(
  config: ResolvedConfig,
  arm: Pick<Arm, 'mesh' | 'variant'>,
  path: Path,
): Arm['transport'] {
  const { transport } = settingsOf(config, arm)
  return hasProtectedLegs(path) && (transport === 'plain' || transport === 'tls') ? transport : undefined
}

/** The programs that an arm's variant builds otherwise. */
export function variantBuilds(config: ResolvedConfig, { variant }: Pick<Arm, 'variant'>): Variant['builds'] {
  return variantOf(config, variant)?.builds ?? {}
}

/**
 * The function of a mesh whose price an arm is there to tell, beside the same arm without it; undefined: an arm is as
 * configured, is a control, or is a variant that is judged. A price is neither better nor worse.
 */
export function pricedBy(
  config: Pick<ResolvedConfig, 'variants'>,
  { variant, control }: Pick<Arm, 'variant' | 'control'>,
): Variant | undefined {
  const found = control === undefined ? undefined : variantOf(config, variant)
  return found?.function === undefined ? undefined : found
}

/**
 * What an arm becomes. The first of several variants is what the others are judged against; a single one is judged
 * against the arm as it is configured. In the place of one that cannot change the arm stands the arm as it is, and so it
 * does alone where nothing that changes anything can. A variant that names its own control is judged against that one,
 * and both stand behind all others. `whyNot` says why one cannot.
 */
export function variedArms(
  id: string,
  variants: readonly Variant[],
  whyNot: (variant: Variant) => string | undefined,
): readonly Pick<Arm, 'id' | 'variant' | 'control'>[] {
  const changes = ({ settings, builds }: Variant) =>
    Object.keys(settings).length + Object.keys(builds).length > 0
  const able = variants.filter((variant) => whyNot(variant) === undefined)
  if (variants.some(changes) && !able.some(changes)) return [{ id }]
  const armOf = (name: string) => ({ id: `${id}@${name}`, variant: name })
  const controls = new Set(variants.flatMap(({ control }) => control ?? []))
  const isPaired = ({ name, control }: Variant) => control !== undefined || controls.has(name)
  const alone = able.filter((variant) => !isPaired(variant))
  const named = alone.map(({ name }) => armOf(name))
  const isControlThere = variants.length > 1 && alone[0] === variants.find((variant) => !isPaired(variant))
  const [control = { id }, ...judged] = isControlThere ? named : [{ id }, ...named]
  return [
    control,
    ...judged.map((arm) => ({ ...arm, control: control.id })),
    ...able.filter(isPaired).map(({ name, control: own }) => ({
      ...armOf(name),
      ...(own === undefined ? {} : { control: armOf(own).id }),
    })),
  ]
}

/** What one variant's requests need, all carry: arms differ by what is on their path and by nothing else. */
export function requestHeadersOf({
  variants = [],
}: Pick<ResolvedConfig, 'variants'>): Readonly<Record<string, string>> {
  return Object.assign({}, ...variants.map(({ requestHeaders = {} }) => requestHeaders)) as Record<
    string,
    string
  >
}

/** Names of the services that settings of a mesh have its functions call. */
export function calledServices(settings: Settings): readonly string[] {
  const { proxy } = settings as { readonly proxy?: { readonly services?: Settings } }
  return Object.keys(proxy?.services ?? {})
}

/** One line for the report. */
export function describeVariant({ source, builds }: Variant): string {
  const parts = Object.entries(builds).map(([program, build]) =>
    'sha256' in build ? `${program} sha256 ${build.sha256}` : `${program} ${build.reference}`,
  )
  return [source, ...parts].join(', ')
}

function variantOf(config: Pick<ResolvedConfig, 'variants'>, name: string | undefined): Variant | undefined {
  return config.variants?.find((variant) => variant.name === name)
}

function overlay(under: Settings, over: Settings): Settings {
  const merged: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isRecord(below) && isRecord(value) ? overlay(below, value) : value
  }
  return merged
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
