/** Checks what `bench.config.ts` holds and lays profile and flags over it; tells all problems at once. */
import { whyNot } from '../load/choice.js'
import { engineNames, type EngineName } from '../protocol/engines.js'
import { defaultGate } from '../analyze/gate.js'
import { defined } from '../model/defined.js'
import type { Ground, Mesh, Platform, ResolvedConfig, Threshold, Variant } from '../model.js'
import { settingsOf, variedArms } from '../model/variants.js'
import type { PlanFlags } from './flags.js'
import { names } from './config-schema.js'
import { configError, describeIssue, oneOf, quote, readWhole } from './problems.js'
import { selectArms } from './select-arms.js'
import { whatIsWrong, whyNotVariedByName } from './varying.js'
import { profileNames, profiles, type ProfileName } from './profiles.js'
import { meshes } from '../../infra/meshes/index.js'
import { flagOf, platforms, type PlatformName } from '../../infra/platforms/index.js'
import { experiments } from '../../scenarios/experiments/index.js'
import { experimentNamed } from '../../scenarios/registry.js'

export interface ConfigOverrides extends Omit<PlanFlags, 'config' | 'variant' | 'function'> {
  /** Laid over the settings of the chosen platform. */
  readonly platformFlags?: Readonly<Record<string, boolean>>
  readonly variants?: readonly Variant[]
}

/**
 * Checks a config, lays the profile under it and the flags over it. `found` are problems that are known of it already.
 *
 * Throws one `UserError` that lists every problem with its path, the value and what is allowed.
 */
export function resolveConfig(
  input: unknown,
  overrides: ConfigOverrides = {},
  source = 'bench.config.ts',
  found: readonly string[] = [],
): ResolvedConfig {
  const { config, given, problems, wrong } = readWhole(input)
  problems.push(...found)
  if (!config) throw configError(source, problems)

  const profileName = oneOf(overrides.profile ?? config.profile, profileNames, '--profile', problems)
  const platform = oneOf(overrides.platform ?? config.platform, names(platforms), '--platform', problems)
  if (!profileName || !platform) throw configError(source, problems)
  const profile = profiles[profileName]
  const chosenByFlag = overrides.profile !== undefined
  const arms = selectArms({ ...platforms[platform].addsArms, ...config.arms }, overrides, problems)
  const ownExperiments = resolveExperiments(config.experiments, profileName, overrides, problems)
  const engines = resolveEngines(ownExperiments, config.engines, overrides, problems)
  const resolved: ResolvedConfig = {
    seed: overrides.seed ?? config.seed,
    profile: profileName,
    platform,
    arms,
    experiments: ownExperiments,
    ...(Object.keys(engines).length === 0 ? {} : { engines }),
    // A profile named on the command line is meant; one in the config only gives defaults for the rest of it.
    rounds: {
      ...profile.rounds,
      ...(chosenByFlag ? {} : defined(config.rounds)),
      ...defined({ budgetMinutes: overrides.budget, blocks: overrides.blocks }),
      ...defined({ min: overrides.rounds, max: overrides.rounds }),
    },
    thresholds: thresholdsOf(config.thresholds, arms, overrides.variants ?? [], platform),
    gate: { ...defaultGate, ...defined(config.gate) },
    ...defined({ variants: overrides.variants }),
    cost: config.cost,
    validity: config.validity,
    // As they were given: whoever reads them lays their defaults on.
    meshSettings: given.meshSettings ?? {},
    platformSettings: layPlatformFlags(given.platformSettings ?? {}, platform, overrides, problems),
    outDir: config.outDir,
  }
  checkWindows(ownExperiments, overrides, problems)
  checkWorkers(ownExperiments, problems)
  checkRounds(resolved, problems)
  checkPlacement(resolved, problems)
  checkVariants(resolved, problems)
  if (overrides.arm === undefined && overrides.mesh === undefined && !wrong.has('arms'))
    checkThresholdArms(resolved, problems)
  if (overrides.experiment === undefined && !wrong.has('experiments'))
    checkThresholdExperiments(resolved, problems)
  if (problems.length > 0) throw configError(source, problems)
  return resolved
}

/** Settings as they are given, by the name of whoever has them. */
type SettingsByName = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>

/** A flag of another platform would be without effect, which nobody who gives it means. */
function layPlatformFlags(
  settings: SettingsByName,
  platform: PlatformName,
  overrides: ConfigOverrides,
  problems: string[],
): Readonly<Record<string, unknown>> {
  const given = overrides.platformFlags ?? {}
  for (const flag of Object.keys(given)) {
    const knowing = Object.values<Platform>(platforms).filter(({ flags = {} }) => flag in flags)
    const others = knowing.map(({ name }) => name)
    if (!others.includes(platform))
      problems.push(
        `${flagOf(flag)}: nothing on platform ${platform}; it is for --platform ${others.join(' or ')}`,
      )
  }
  return Object.keys(given).length === 0
    ? settings
    : { ...settings, [platform]: { ...settings[platform], ...given } }
}

function resolveExperiments(
  wanted: SettingsByName,
  profileName: ProfileName,
  overrides: ConfigOverrides,
  problems: string[],
): Record<string, unknown> {
  const profile = profiles[profileName]
  const timing: SettingsByName = profile.experiments
  const left: readonly string[] = profile.without
  const resolved: Record<string, unknown> = {}
  const names_ = overrides.experiment ?? Object.keys(wanted).filter((name) => !left.includes(name))
  for (const name of names_) {
    const known = oneOf(name, names(experiments), '--experiment', problems)
    if (!known) continue
    const own = wanted[known] ?? {}
    const rates = known === 'latency' && overrides.rate ? { ratesPerSecond: overrides.rate } : {}
    const settings = overrides.profile
      ? { ...own, ...timing[known], ...rates }
      : { ...timing[known], ...own, ...rates }
    const parsed = experiments[known].settings.safeParse(settings, { reportInput: true })
    if (parsed.success) resolved[known] = parsed.data
    else
      problems.push(
        ...parsed.error.issues.map((issue) => {
          const problem = describeIssue(issue, experiments[known].settings, ['experiments', known])
          const isTyped = 'ratesPerSecond' in rates && issue.path[0] === 'ratesPerSecond'
          return isTyped ? problem.replace(/^[^:]*/, '--rate') : problem
        }),
      )
  }
  // Without effect, which nobody who gives it means.
  const known = names_.filter((name) => name in experiments)
  if (overrides.rate && known.length > 0 && known.length === names_.length && !known.includes('latency'))
    problems.push(`--rate: without effect on ${known.join(', ')}; it is for --experiment latency`)
  if (Object.keys(resolved).length === 0 && problems.length === 0)
    problems.push('experiments: none is left to run')
  return resolved
}

/** Engines that differ from the experiments' own. One that cannot drive an experiment is a problem, never left out silently. */
function resolveEngines(
  resolved: Readonly<Record<string, unknown>>,
  configured: Readonly<Partial<Record<string, EngineName>>>,
  { engine: flag, variants = [] }: ConfigOverrides,
  problems: string[],
): Record<string, EngineName> {
  const chosen = flag === undefined ? undefined : oneOf(flag, engineNames, '--engine', problems)
  const headers = variants.some(({ requestHeaders = {} }) => Object.keys(requestHeaders).length > 0)
  const engines: Record<string, EngineName> = {}
  for (const [name, all] of loadsOf(resolved)) {
    const engine = chosen ?? configured[name]
    if (engine === undefined) continue
    const reason = all
      .map(({ load, search }) => whyNot(engine, load, { searched: search !== undefined, headers }))
      .find((other) => other !== undefined)
    if (reason !== undefined)
      problems.push(
        `${flag === undefined ? `engines.${name}` : '--engine'}: ${quote(engine)} cannot drive ${name}: ${reason}; --experiment chooses experiments`,
      )
    else if (all.some(({ load }) => load.engine !== engine)) engines[name] = engine
  }
  return engines
}

const loadsOf = (resolved: Readonly<Record<string, unknown>>) =>
  Object.entries(resolved).map(
    ([name, settings]) => [name, experimentNamed(name)?.loads(settings) ?? []] as const,
  )

/** A window holds whole requests: where it cannot hold what a rate asks for, another rate would be sent under its label. */
function checkWindows(
  resolved: Readonly<Record<string, unknown>>,
  { rate: typed }: ConfigOverrides,
  problems: string[],
): void {
  for (const [name, loads] of loadsOf(resolved)) {
    for (const { load, search } of loads) {
      const { model, ratePerSecond, durationMs } = load
      if (model !== 'open' || search !== undefined || ratePerSecond === undefined) continue
      const asked = (ratePerSecond * durationMs) / 1000
      const sent = Math.max(1, Math.round(asked))
      if (Math.abs(sent - asked) <= asked * largestRounding) continue
      const field = typed?.includes(ratePerSecond) ? '--rate' : `experiments.${name}`
      problems.push(
        `${field}: ${ratePerSecond} requests per second are ${asked} in a window of ${durationMs} ms, of which ${sent} would be sent; allowed: ${(sent * 1000) / durationMs} per second, or a longer window`,
      )
    }
  }
}

/** One thread tells workloads and moments apart: with more of them a trial would fail, or its figures be missing. */
function checkWorkers(resolved: Readonly<Record<string, unknown>>, problems: string[]): void {
  for (const [name, loads] of loadsOf(resolved)) {
    const isSplit = loads.some(
      ({ load: { workers = 1, workloads = 1, sliceMs } }) =>
        workers > 1 && (workloads > 1 || sliceMs !== undefined),
    )
    if (isSplit)
      problems.push(
        `experiments.${name}.workers: more than one cannot tell its workloads or moments apart; allowed: 1`,
      )
  }
}

/** Share of a rate that may be lost to whole requests. */
const largestRounding = 0.02

function checkRounds({ rounds }: ResolvedConfig, problems: string[]): void {
  if (rounds.max < rounds.min)
    problems.push(
      `rounds.max: ${rounds.max} is less than rounds.min, ${rounds.min}; allowed: at least rounds.min`,
    )
  if ((rounds.blocks ?? 1) > rounds.max)
    problems.push(
      `rounds.blocks: ${rounds.blocks} is more than rounds.max, ${rounds.max}; a block is a round at least`,
    )
}

/** Meshes can form only their own paths, and live only on some platforms. */
function checkPlacement({ arms, platform }: ResolvedConfig, problems: string[]): void {
  const registry: Readonly<Record<string, Mesh>> = meshes
  const offering = (ground: Ground) =>
    names(platforms).filter((name) => platforms[name].offers.includes(ground))
  for (const [name, list] of Object.entries(arms)) {
    const mesh = registry[name]
    if (!mesh) continue
    for (const path of list.filter((other) => other !== 'baseline' && !mesh.paths.includes(other)))
      problems.push(
        `arms.${name}: ${quote(path)} is not a path of this mesh; allowed: ${mesh.paths.join(', ')}`,
      )
    const allowed: readonly string[] = offering(mesh.livesOn)
    if (!allowed.includes(platform))
      problems.push(
        `arms.${name}: this mesh does not run on ${quote(platform)}; allowed: ${allowed.join(', ')}`,
      )
  }
  const total = Object.values(arms).reduce((sum, list) => sum + list.length, 0)
  if (total === 0 && problems.length === 0) problems.push('arms: none is left to measure; name at least one')
}

const cannotVary = (mesh: string, path: string, platform: string) => (variant: Variant) =>
  whyNotVariedByName(variant, mesh, path, platform)

/** The arms that variants make of those of a config, by the id that the config knows. */
function variedOf(
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

/** Where several variants take the place of an arm, a threshold on the arm speaks of each but the first, their control. */
function thresholdsOf(
  thresholds: readonly Threshold[],
  arms: ResolvedConfig['arms'],
  variants: readonly Variant[],
  platform: PlatformName,
): readonly Threshold[] {
  const varied = variedOf(arms, variants, platform)
  const namesOf = (id: string, variant: string | undefined) => {
    const made = varied.get(id) ?? []
    return made.find((arm) => arm.variant === variant) ?? made.find(({ control }) => control === undefined)
  }
  return thresholds.flatMap((threshold) => {
    const made = varied.get(threshold.arm) ?? []
    if (made.length === 0) return [threshold]
    const same = made.filter(({ id }) => id === threshold.arm)
    const judged = made.filter(({ control }) => control !== undefined)
    const named = [same, judged, made].find((list) => list.length > 0) ?? []
    return named.map(({ id, variant }) => ({
      ...threshold,
      arm: id,
      ...(threshold.relativeTo === undefined
        ? {}
        : { relativeTo: namesOf(threshold.relativeTo, variant)?.id ?? threshold.relativeTo }),
    }))
  })
}

/** What varies must be able to on this platform, and in one arm at least. */
function checkVariants(config: ResolvedConfig, problems: string[]): void {
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
        problems.push(
          given === 'image'
            ? `${field}: on ${platform} a program is varied by the reference of its image: ${name}=image:proxy=<reference>`
            : `${field}: ${platform} runs no container images; allowed: ${name}=git:<ref>, ${name}=bundles:<folder>`,
        )
    // Arms that it cannot change stay as they are; where it changes none, something else is meant.
    const reasons = isFunction && isPriced ? undefined : whyNone(variant)
    const problem = reasons && `${field}: ${[...new Set(reasons)].join('; ')}`
    if (problem !== undefined && !problems.includes(problem)) problems.push(problem)
    // What it lays over a mesh's settings has to make whole ones of them.
    const varied = all.filter(({ mesh, path }) => cannotVary(mesh, path, on)(variant) === undefined)
    for (const name_ of new Set(varied.map(({ mesh }) => mesh))) {
      const laid = settingsOf(config, { mesh: name_, variant: name })
      const wrong = whatIsWrong(meshes[name_ as keyof typeof meshes], laid)
      if (wrong !== undefined) problems.push(`${field}: ${wrong}`)
    }
  }
}

function checkThresholdExperiments({ experiments, thresholds }: ResolvedConfig, problems: string[]): void {
  const known = Object.keys(experiments)
  for (const [index, { experiment }] of thresholds.entries())
    if (experiment !== undefined && !known.includes(experiment))
      problems.push(
        `thresholds[${index}].experiment: ${quote(experiment)} is not measured; allowed: ${known.join(', ')}`,
      )
}

function checkThresholdArms(
  { arms, thresholds, variants = [], platform }: ResolvedConfig,
  problems: string[],
): void {
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
        problems.push(
          `thresholds[${index}].${field}: ${quote(name)} is not measured; allowed: ${known.join(', ')}`,
        )
    }
  }
}
