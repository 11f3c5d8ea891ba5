/** Checks what `bench.config.ts` holds and lays profile and flags over it; tells all problems at once. */
import { whyNot } from '../load/choice.js'
import { engineNames, type EngineName } from '../protocol/engines.js'
import { defaultGate } from '../analyze/gate.js'
import { defined } from '../model/defined.js'
import type { ResolvedConfig, Threshold, Variant } from '../model.js'
import { readFleet } from './fleet.js'
import type { PlanFlags } from './flags.js'
import { names } from './config-schema.js'
import {
  checkAcrossFields,
  checkSomeIsLeft,
  checkThresholdArms,
  checkThresholdExperiments,
  loadsOf,
  variedOf,
} from './config-checks.js'
import { type Checked, configError, describeIssue, oneOf, quote, readWhole, someOf } from './problems.js'
import { selectArms } from './select-arms.js'
import { profileNames, profiles, type ProfileName } from './profiles.js'
import { platforms, type PlatformName } from '../../infra/platforms/index.js'
import { experiments } from '../../scenarios/experiments/index.js'

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

  const named = {
    profile: oneOf(overrides.profile ?? config.profile, profileNames, '--profile'),
    platform: oneOf(overrides.platform ?? config.platform, names(platforms), '--platform'),
  }
  problems.push(...named.profile.problems, ...named.platform.problems)
  const { value: profileName } = named.profile
  const { value: platform } = named.platform
  if (profileName === undefined || platform === undefined) throw configError(source, problems)
  const profile = profiles[profileName]
  const chosenByFlag = overrides.profile !== undefined
  const selected = selectArms({ ...platforms[platform].addsArms, ...config.arms }, overrides)
  const own = resolveExperiments(config.experiments, profileName, overrides)
  const chosen = resolveEngines(own.value, config.engines, overrides)
  const fleet = overrides.fleet === undefined ? undefined : readFleet(overrides.fleet)
  const [arms, engines] = [selected.value, chosen.value]
  const resolved: ResolvedConfig = {
    seed: overrides.seed ?? config.seed,
    profile: profileName,
    platform,
    arms,
    experiments: own.value,
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
    cost: { ...config.cost, ...defined({ fleet: fleet?.value }) },
    validity: config.validity,
    // As they were given: whoever reads them lays their defaults on.
    meshSettings: given.meshSettings ?? {},
    platformSettings: layPlatformFlags(given.platformSettings ?? {}, platform, overrides),
    outDir: config.outDir,
  }
  problems.push(
    ...selected.problems,
    ...own.problems,
    ...chosen.problems,
    ...(fleet?.problems ?? []),
    ...checkAcrossFields(resolved, overrides),
  )
  if (overrides.arm === undefined && overrides.mesh === undefined && !wrong.has('arms'))
    problems.push(...checkThresholdArms(resolved))
  if (overrides.experiment === undefined && !wrong.has('experiments'))
    problems.push(...checkThresholdExperiments(resolved))
  if (problems.length === 0) problems.push(...checkSomeIsLeft(resolved))
  // A function and what it is measured against are refused for the same reason.
  if (problems.length > 0) throw configError(source, [...new Set(problems)])
  return resolved
}

/** Settings as they are given, by the name of whoever has them. */
type SettingsByName = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>

function layPlatformFlags(
  settings: SettingsByName,
  platform: PlatformName,
  { platformFlags = {} }: ConfigOverrides,
): Readonly<Record<string, unknown>> {
  return Object.keys(platformFlags).length === 0
    ? settings
    : { ...settings, [platform]: { ...settings[platform], ...platformFlags } }
}

function resolveExperiments(
  wanted: SettingsByName,
  profileName: ProfileName,
  { experiment, profile: chosenByFlag, rate }: ConfigOverrides,
): Checked<Readonly<Record<string, unknown>>> {
  const profile = profiles[profileName]
  const timing: SettingsByName = profile.experiments
  const left: readonly string[] = profile.without
  const asked = experiment ?? Object.keys(wanted).filter((name) => !left.includes(name))
  const known = someOf(asked, names(experiments), '--experiment')
  const problems = [...known.problems]
  const value: Record<string, unknown> = {}
  for (const name of known.value) {
    const own = wanted[name] ?? {}
    const rates = name === 'latency' && rate ? { ratesPerSecond: rate } : {}
    const settings = chosenByFlag
      ? { ...own, ...timing[name], ...rates }
      : { ...timing[name], ...own, ...rates }
    const parsed = experiments[name].settings.safeParse(settings, { reportInput: true })
    if (parsed.success) value[name] = parsed.data
    for (const issue of parsed.error?.issues ?? []) {
      const problem = describeIssue(issue, experiments[name].settings, ['experiments', name])
      const isTyped = 'ratesPerSecond' in rates && issue.path[0] === 'ratesPerSecond'
      problems.push(isTyped ? problem.replace(/^[^:]*/, '--rate') : problem)
    }
  }
  // Without effect, which nobody who gives it means.
  if (rate && known.value.length > 0 && known.problems.length === 0 && !known.value.includes('latency'))
    problems.push(`--rate: without effect on ${known.value.join(', ')}; it is for --experiment latency`)
  return { value, problems }
}

/** Engines that differ from the experiments' own. One that cannot drive an experiment is a problem, never left out silently. */
function resolveEngines(
  resolved: Readonly<Record<string, unknown>>,
  configured: Readonly<Partial<Record<string, EngineName>>>,
  { engine: flag, variants = [] }: ConfigOverrides,
): Checked<Readonly<Record<string, EngineName>>> {
  const named = flag === undefined ? undefined : oneOf(flag, engineNames, '--engine')
  const problems = [...(named?.problems ?? [])]
  const headers = variants.some(({ requestHeaders = {} }) => Object.keys(requestHeaders).length > 0)
  const value: Record<string, EngineName> = {}
  for (const [name, all] of loadsOf(resolved)) {
    const engine = named?.value ?? configured[name]
    if (engine === undefined) continue
    const reason = all
      .map(({ load, search }) => whyNot(engine, load, { searched: search !== undefined, headers }))
      .find((other) => other !== undefined)
    if (reason !== undefined)
      problems.push(
        `${flag === undefined ? `engines.${name}` : '--engine'}: ${quote(engine)} cannot drive ${name}: ${reason}; --experiment chooses experiments`,
      )
    else if (all.some(({ load }) => load.engine !== engine)) value[name] = engine
  }
  return { value, problems }
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
