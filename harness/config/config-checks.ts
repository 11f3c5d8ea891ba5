/** What a config asks for whose fields are each allowed, and cannot be had together. Each check tells problems, as lines. */
import type { Ground, Mesh, Platform, ResolvedConfig, Variant } from '../model.js'
import { secretTextsIn } from '../model/secrets.js'
import { settingsOf, variedArms } from '../model/variants.js'
import { names } from './config-schema.js'
import { fieldOf, quote } from './problems.js'
import { whatIsWrong, whyNotVariedByName } from './varying.js'
import { meshes } from '../../infra/meshes/index.js'
import { flagOf, platforms, type PlatformName } from '../../infra/platforms/index.js'
import { experimentNamed } from '../../scenarios/registry.js'

type Problems = Generator<string, void>

/** What the command line has of it, which is to blame then. */
interface Typed {
  readonly rate?: readonly number[]
  readonly rounds?: number
  readonly blocks?: number
  readonly platformFlags?: Readonly<Record<string, boolean>>
}

export function* checkAcrossFields(config: ResolvedConfig, typed: Typed): Problems {
  yield* checkPlatformFlags(config, typed.platformFlags)
  yield* checkWindows(config, typed.rate)
  yield* checkWorkers(config)
  yield* checkMix(config)
  yield* checkRounds(config, typed)
  yield* checkPlacement(config)
  yield* checkVariants(config)
  yield* checkSecrets(config)
}

export const loadsOf = (resolved: Readonly<Record<string, unknown>>) =>
  Object.entries(resolved).map(
    ([name, settings]) => [name, experimentNamed(name)?.loads(settings) ?? []] as const,
  )

/** Share of a rate that may be lost to whole requests. */
const largestRounding = 0.02

/** A window holds whole requests: where it cannot hold what a rate asks for, another rate would be sent under its label. */
function* checkWindows({ experiments }: ResolvedConfig, typed?: readonly number[]): Problems {
  for (const [name, loads] of loadsOf(experiments)) {
    for (const { load, search } of loads) {
      const { model, ratePerSecond, durationMs } = load
      if (model !== 'open' || search !== undefined || ratePerSecond === undefined) continue
      const asked = (ratePerSecond * durationMs) / 1000
      const sent = Math.max(1, Math.round(asked))
      if (Math.abs(sent - asked) <= asked * largestRounding) continue
      const field = typed?.includes(ratePerSecond) ? '--rate' : `experiments.${name}`
      const digits = (figure: number) => Number(figure.toPrecision(3))
      yield `${field}: ${ratePerSecond} requests per second are ${digits(asked)} in a window of ${durationMs} ms, of which ${sent} would be sent; allowed: ${digits((sent * 1000) / durationMs)} per second, or a longer window`
    }
  }
}

/** One thread tells workloads and moments apart: with more of them a trial would fail, or its figures be missing. */
function* checkWorkers({ experiments }: ResolvedConfig): Problems {
  for (const [name, loads] of loadsOf(experiments)) {
    const isSplit = loads.some(
      ({ load: { workers = 1, workloads = 1, sliceMs } }) =>
        workers > 1 && (workloads > 1 || sliceMs !== undefined),
    )
    if (isSplit)
      yield `experiments.${name}.workers: more than one cannot tell its workloads or moments apart; allowed: 1`
  }
}

/** A frame of raw TCP comes back as it was sent: there is no request apart from its reply. */
function* checkMix({ experiments }: ResolvedConfig): Problems {
  for (const [name, loads] of loadsOf(experiments))
    if (loads.some(({ load: { mix, protocol } }) => mix && protocol === 'tcp'))
      yield `experiments.${name}.mix: tcp has one kind of request; allowed with http1, h2 and grpc`
}

function* checkRounds({ rounds }: ResolvedConfig, typed: Typed): Problems {
  if (rounds.max < rounds.min)
    yield `rounds.max: ${rounds.max} is less than rounds.min, ${rounds.min}; allowed: at least rounds.min`
  const { blocks = 1, max } = rounds
  if (blocks <= max) return
  const many = typed.blocks === undefined ? 'rounds.blocks' : '--blocks'
  const few = typed.rounds === undefined ? 'rounds.max' : '--rounds'
  yield few === '--rounds' && many !== '--blocks'
    ? `${few}: ${max} is less than ${many}, ${blocks}; a block is a round at least`
    : `${many}: ${blocks} is more than ${few}, ${max}; a block is a round at least`
}

/** A run's journal keeps its config whole, and is shown to others. */
function* checkSecrets(config: ResolvedConfig): Problems {
  for (const path of secretTextsIn(config))
    yield (
      `${fieldOf(path)}: a private key, or a URL with a password, which a run's journal would keep; leave it out ` +
      '(what a mirror gives only to those it knows can lie in the cache folder before the run)'
    )
}

/** Meshes can form only their own paths, and live only on some platforms. */
function* checkPlacement({ arms, platform }: ResolvedConfig): Problems {
  const registry: Readonly<Record<string, Mesh>> = meshes
  const offering = (ground: Ground) =>
    names(platforms).filter((name) => platforms[name].offers.includes(ground))
  for (const [name, list] of Object.entries(arms)) {
    const mesh = registry[name]
    if (!mesh) continue
    for (const path of list.filter((other) => other !== 'baseline' && !mesh.paths.includes(other)))
      yield `arms.${name}: ${quote(path)} is not a path of this mesh; allowed: ${mesh.paths.join(', ')}`
    const allowed: readonly string[] = offering(mesh.livesOn)
    if (!allowed.includes(platform))
      yield `arms.${name}: this mesh does not run on ${quote(platform)}; allowed: ${allowed.join(', ')}`
  }
}

const cannotVary = (mesh: string, path: string, platform: string) => (variant: Variant) =>
  whyNotVariedByName(variant, mesh, path, platform)

/** The arms that variants make of those of a config, by the id that the config knows. */
export function variedOf(
  arms: ResolvedConfig['arms'],
  variants: readonly Variant[],
  platform: PlatformName,
): ReadonlyMap<string, ReturnType<typeof variedArms>> {
  return new Map(
    Object.entries(arms).flatMap(([mesh, list]) =>
      list.map((path) => [
        `${mesh}/${path}`,
        path === 'baseline'
          ? [{ id: `${mesh}/${path}` }]
          : variedArms(`${mesh}/${path}`, variants, cannotVary(mesh, path, platform)),
      ]),
    ),
  )
}

/** What varies must be able to on this platform, and in one arm at least. */
function* checkVariants(config: ResolvedConfig): Problems {
  const { arms, platform, variants = [] } = config
  const on = platform as PlatformName
  const { builds: given } = platforms[on]
  const all = Object.entries(arms).flatMap(([mesh, list]) =>
    list.filter((path) => path !== 'baseline').map((path) => ({ mesh, path })),
  )
  const whyNone = (variant: Variant) => {
    const reasons = all.map(({ mesh, path }) => cannotVary(mesh, path, on)(variant))
    return reasons.length > 0 && reasons.every((reason) => reason !== undefined) ? reasons : undefined
  }
  // Of a list of functions those that no arm has are told of in the plan, as long as one is measured.
  const isPriced = variants.some(
    (variant) => variant.function !== undefined && whyNone(variant) === undefined,
  )
  // What a function is measured against came with it.
  const askedBy = (variant: Variant) => variants.find(({ control }) => control === variant.name) ?? variant
  for (const variant of variants) {
    const { name, builds } = variant
    const isFunction = askedBy(variant).function !== undefined
    const field = `${isFunction ? '--function' : '--variant'} ${askedBy(variant).name}`
    for (const build of Object.values(builds))
      if ('reference' in build !== (given === 'image'))
        yield given === 'image'
          ? `${field}: on ${platform} a program is varied by the reference of its image: ${name}=image:proxy=<reference>`
          : `${field}: ${platform} runs no container images; allowed: ${name}=git:<ref>, ${name}=bundles:<folder>`
    // Arms that it cannot change stay as they are; where it changes none, something else is meant.
    const reasons = isFunction && isPriced ? undefined : whyNone(variant)
    if (reasons) yield `${field}: ${[...new Set(reasons)].join('; ')}`
    // What it lays over a mesh's settings has to make whole ones of them.
    const varied = all.filter(({ mesh, path }) => cannotVary(mesh, path, on)(variant) === undefined)
    for (const name_ of new Set(varied.map(({ mesh }) => mesh))) {
      const laid = settingsOf(config, { mesh: name_, variant: name })
      const wrong = whatIsWrong(meshes[name_ as keyof typeof meshes], laid)
      if (wrong !== undefined) yield `${field}: ${wrong}`
    }
  }
}

export function* checkThresholdExperiments({ experiments, thresholds }: ResolvedConfig): Problems {
  const known = Object.keys(experiments)
  for (const [index, { experiment }] of thresholds.entries())
    if (experiment !== undefined && !known.includes(experiment))
      yield `thresholds[${index}].experiment: ${quote(experiment)} is not measured; allowed: ${known.join(', ')}`
}

export function* checkThresholdArms({ arms, thresholds, variants = [], platform }: ResolvedConfig): Problems {
  const known = [
    'none/baseline',
    ...Object.keys(arms).map((mesh) => `${mesh}/baseline`),
    ...[...variedOf(arms, variants, platform as PlatformName).values()].flatMap((made) =>
      made.map(({ id }) => id),
    ),
  ]
  for (const [index, threshold] of thresholds.entries()) {
    for (const field of ['arm', 'relativeTo'] as const) {
      const name = threshold[field]
      if (name !== undefined && !known.includes(name))
        yield `thresholds[${index}].${field}: ${quote(name)} is not measured; allowed: ${known.join(', ')}`
    }
  }
}

/** A flag of another platform would be without effect, which nobody who gives it means. */
function* checkPlatformFlags(
  { platform }: ResolvedConfig,
  flags: Readonly<Record<string, boolean>> = {},
): Problems {
  for (const flag of Object.keys(flags)) {
    const knowing = Object.values<Platform>(platforms).filter(({ flags: own = {} }) => flag in own)
    const others: readonly string[] = knowing.map(({ name }) => name)
    if (!others.includes(platform))
      yield `${flagOf(flag)}: nothing on platform ${platform}; it is for --platform ${others.join(' or ')}`
  }
}

/** Where nothing else is wrong. */
export function* checkSomeIsLeft({ arms, experiments }: ResolvedConfig): Problems {
  if (Object.keys(experiments).length === 0) yield 'experiments: none is left to run'
  if (Object.values(arms).every((list) => list.length === 0))
    yield 'arms: none is left to measure; name at least one'
}
