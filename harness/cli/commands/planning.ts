/** What several verbs do alike: read the config, lay the flags over it, make the plan. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { catalogue } from '../catalogue.js'
import { allExperiments, byWhatTheyDecide } from '../../config/all-experiments.js'
import { planFlagsOf, type PlanFlags } from '../../config/flags.js'
import { resolveConfig, type ConfigOverrides } from '../../config/resolve-config.js'
import { defined } from '../../model/defined.js'
import { UserError, messageOf } from '../../model/errors.js'
import type { Mesh, Plan, Platform, Variant } from '../../model.js'
import { engineWarnings } from '../../load/choice.js'
import { makePlan } from '../../plan/plan.js'
import type { Experiment } from '../../../scenarios/experiments/experiment.js'
import { experiments } from '../../../scenarios/experiments/index.js'
import { meshes } from '../../../infra/meshes/index.js'
import { platformFlags, platforms, type PlatformName } from '../../../infra/platforms/index.js'

/** Imports a config file, TypeScript or JavaScript. Throws `UserError` when there is none or it does not load. */
async function loadConfigFile(file: string): Promise<unknown> {
  const path = resolve(file)
  if (!existsSync(path)) {
    throw new UserError(`no config at ${file}`, {
      hint: '`meshbench init` writes one; --config names another',
    })
  }
  if (statSync(path).isDirectory())
    throw new UserError(`${file} is a folder`, { hint: '--config names a file, as bench.config.ts is' })
  try {
    const { tsImport } = await import('tsx/esm/api')
    const loaded: unknown = await tsImport(pathToFileURL(path).href, import.meta.url)
    const config = defaultExport(loaded)
    if (config === undefined) {
      throw new UserError(`${file} has no default export`, {
        hint: 'write `export default defineConfig({ … })`',
      })
    }
    // A function may look something up first.
    return typeof config === 'function' ? await (config as () => unknown)() : config
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`${file} does not load: ${messageOf(error)}`, {
      cause: error,
      ...(/Cannot find (package|module) 'meshbench'/.test(messageOf(error)) && {
        hint: 'the package is not installed beside it: `npm install meshbench`, or write `import type { UserConfig }`, which needs no package to run',
      }),
    })
  }
}

/** Outside an ES module package the file is compiled to CommonJS, whose exports come as the default once more. */
function defaultExport(module: unknown): unknown {
  const outer = (module as { default?: unknown } | null)?.default
  const isCommonJs =
    typeof outer === 'object' && outer !== null && '__esModule' in outer && 'default' in outer
  return isCommonJs ? outer.default : outer
}

export async function planFromFlags(flags: PlanFlags): Promise<Plan> {
  const { config: file = 'bench.config.ts' } = flags
  const input = await loadConfigFile(file)
  const overrides = {
    ...planFlagsOf(flags),
    platformFlags: platformFlagsOf(flags),
    ...defined({ variants: await variantsFromFlags(flags) }),
  }
  const found = await settingProblems(input, overrides.variants !== undefined)
  const planOf = (more: ConfigOverrides) =>
    makePlan(resolveConfig(input, { ...overrides, ...more }, file, found), catalogue)
  const plan = flags.experiment?.includes(allExperiments) ? planThatFits(planOf) : planOf({})
  for (const line of engineWarnings(plan.cells.map(({ load }) => load))) process.stderr.write(`! ${line}\n`)
  return plan
}

/** The filters know what their fields may be, and are loaded for a config that has settings alone. */
async function settingProblems(config: unknown, isVaried: boolean): Promise<readonly string[]> {
  if (typeof config !== 'object' || config === null || !('meshSettings' in config)) return []
  const { configFilterProblems } = await import('../../config/variant-settings.js')
  return configFilterProblems(config, isVaried)
}

/** Rounds that an experiment is given time for: fewer decide little, and what time is left takes more. */
const roundsToFit = 5

/**
 * Experiments are taken in the order of what decides most, as long as the run's budget lasts for a few rounds of all; what
 * is left out is told, and so is what this config cannot run.
 */
function planThatFits(planOf: (more: ConfigOverrides) => Plan): Plan {
  const taken: string[] = []
  const late: string[] = []
  const unfit: { readonly name: string; readonly error: UserError }[] = []
  for (const name of byWhatTheyDecide(Object.values<Experiment>(experiments))) {
    try {
      const { estimateMs, config } = planOf({ experiment: [...taken, name], rounds: roundsToFit })
      const fits = estimateMs <= config.rounds.budgetMinutes * 60_000
      ;(fits ? taken : late).push(name)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      unfit.push({ name, error })
    }
  }
  // What is wrong then is no experiment's, and is said once.
  if (unfit[0] && taken.length + late.length === 0) throw unfit[0].error
  if (late.length > 0) {
    const experiment = [...taken, ...late]
    const times = [planOf({ experiment }), planOf({ experiment, rounds: roundsToFit })]
    const minutes = Math.ceil(Math.max(...times.map(({ estimateMs }) => estimateMs)) / 60_000)
    if (taken.length === 0) {
      const { config } = planOf({ experiment: late.slice(0, 1) })
      throw new UserError(`no experiment fits into ${config.rounds.budgetMinutes} min`, {
        hint: `--budget ${minutes} takes all; less takes those that decide most claims`,
      })
    }
    process.stderr.write(`! left out for lack of time: ${late.join(', ')}; --budget ${minutes} takes all\n`)
  }
  for (const { name, error } of unfit)
    process.stderr.write(`! left out, as this config cannot run it: ${name}: ${error.message}\n`)
  const plan = planOf({ experiment: taken })
  const { max, min } = plan.config.rounds
  const least = Math.min(roundsToFit, max)
  return min <= least
    ? plan
    : makePlan({ ...plan.config, rounds: { ...plan.config.rounds, min: least } }, catalogue)
}

/** The flags that platforms declare, those that were given. */
export function platformFlagsOf(flags: PlanFlags): Readonly<Record<string, boolean>> {
  const given = flags as Readonly<Record<string, unknown>>
  return Object.fromEntries(platformFlags.flatMap(({ name }) => (given[name] === true ? [[name, true]] : [])))
}

async function variantsFromFlags(flags: PlanFlags): Promise<readonly Variant[] | undefined> {
  if (flags.variant === undefined && flags.function === undefined) return undefined
  const { functionFlags, resolveVariants } = await import('../../config/variant-sources.js')
  // With one variant the arm as configured is what it is judged against; functions of a list need that arm, too.
  const asked = functionFlags(flags.function ?? [])
  const control = asked.length > 1 && flags.variant === undefined ? ['plain=unchanged'] : []
  return resolveVariants([...control, ...(flags.variant ?? []), ...asked])
}

export function platformOf(plan: Plan): Platform {
  return platforms[plan.config.platform as PlatformName]
}

export const meshRegistry: Readonly<Record<string, Mesh>> = meshes
