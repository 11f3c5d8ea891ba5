/** Turns a config into the exact list of trials, before anything is created. Pure: one config, one plan. */
import { baselineMesh, copiesFor, copyId, roundsOf, unitNumber } from '../model/plan.js'
import { createHash } from 'node:crypto'
import { defined } from '../model/defined.js'
import { UserError } from '../model/errors.js'
import type {
  Arm,
  Cell,
  Copy,
  EnvironmentRequest,
  LoadSpec,
  Plan,
  PlatformTimes,
  ResolvedConfig,
  TrialSpec,
  Variant,
} from '../model.js'
import { requestHeadersOf, transportOf, variedArms } from '../model/variants.js'
import { seededRandom, shuffle } from '../protocol/random.js'
import { named, type Catalogue } from './catalogue.js'
import { canHave, refuseChanges, scriptOf, withRestarts } from './scripts.js'

export function makePlan(config: ResolvedConfig, catalogue: Catalogue): Plan {
  const arms = listArms(config, catalogue)
  const paths = [...new Set(arms.map(({ path }) => path))].map((name) => named(catalogue.paths, name))
  const groups = listCells(config, arms, catalogue)
  const cells = groups.flatMap((group) => group.cells)
  const ids = cells.map(({ id }) => id)
  const repeated = ids.find((id, index) => ids.indexOf(id) !== index)
  // Half of its trials would take the place of the other half.
  if (repeated !== undefined) throw new UserError(`the plan would measure ${repeated} twice`)
  refuseTooMany(groups)
  const order = orderTrials(config, arms, together(groups, catalogue))
  const hash = createHash('sha256')
    .update(JSON.stringify([{ ...config, outDir: '' }, arms, cells, order]))
    .digest('hex')
  const { times } = named(catalogue.platforms, config.platform)
  return {
    schema: 1,
    hash,
    config,
    arms,
    ...defined({ unvaried: listUnvaried(config, catalogue) }),
    paths,
    cells,
    order,
    estimateMs: estimate({ config, arms, paths, cells, order }, times),
  }
}

/**
 * Every environment gets its own baseline and the baseline's twin: on platforms where meshes share an environment
 * these are `none/baseline`, elsewhere each mesh has its own.
 */
function listArms(config: ResolvedConfig, catalogue: Catalogue): Arm[] {
  const shared = named(catalogue.platforms, config.platform).environments === 'shared'
  const meshNames = Object.keys(config.arms)
  const groups = shared
    ? [{ environment: config.platform, prefix: baselineMesh, meshes: meshNames }]
    : meshNames.map((mesh) => ({ environment: `${config.platform}/${mesh}`, prefix: mesh, meshes: [mesh] }))
  return groups.flatMap(({ environment, prefix, meshes }) => {
    const baseline = `${prefix}/baseline`
    const common = { mesh: baselineMesh, path: 'baseline', environment, baseline }
    return [
      { ...common, id: baseline, role: 'baseline' as const },
      { ...common, id: `${baseline}-twin`, role: 'twin' as const },
      ...meshes.flatMap((mesh) =>
        (config.arms[mesh] ?? [])
          .filter((path) => path !== 'baseline')
          .flatMap((path) =>
            variedArms(`${mesh}/${path}`, config.variants ?? [], whyNot(mesh, path, config, catalogue)).map(
              (variant) => ({
                ...variant,
                mesh,
                path,
                role: 'subject' as const,
                environment,
                baseline,
                ...defined({
                  family: catalogue.meshes[mesh]?.family,
                  transport: transportOf(config, { mesh, ...variant }, named(catalogue.paths, path)),
                  place: placeOf(variant.variant, mesh, path, config, catalogue),
                }),
              }),
            ),
          ),
      ),
    ]
  })
}

function placeOf(
  name: string | undefined,
  mesh: string,
  path: string,
  { variants }: Pick<ResolvedConfig, 'variants'>,
  catalogue: Catalogue,
): string | undefined {
  const variant = variants?.find((other) => other.name === name)
  return variant && catalogue.meshes[mesh]?.placeOf?.(variant.settings, named(catalogue.paths, path))
}

const whyNot =
  (mesh: string, path: string, { platform }: Pick<ResolvedConfig, 'platform'>, { whyNotVaried }: Catalogue) =>
  (variant: Variant) =>
    whyNotVaried(variant, mesh, path, platform)

function listUnvaried(config: ResolvedConfig, catalogue: Catalogue): Plan['unvaried'] {
  const { arms, variants = [] } = config
  const found = Object.entries(arms).flatMap(([mesh, list]) =>
    list
      .filter((path) => path !== 'baseline')
      .flatMap((path) =>
        variants.flatMap((variant) => {
          const why = whyNot(mesh, path, config, catalogue)(variant)
          return why === undefined ? [] : [{ arm: `${mesh}/${path}`, variant: variant.name, why }]
        }),
      ),
  )
  return found.length === 0 ? undefined : found
}

/** Cells that are compared with each other: one experiment, one load, every arm. */
interface CellGroup {
  readonly experiment: string
  readonly rounds: number
  readonly cells: readonly Cell[]
}

function listCells(config: ResolvedConfig, arms: readonly Arm[], catalogue: Catalogue): CellGroup[] {
  const headers = requestHeadersOf(config)
  const more = Object.keys(headers).length === 0 ? {} : { headers }
  return Object.entries(config.experiments).flatMap(([experiment, settings]) => {
    const asked = named(catalogue.experiments, experiment)
    const rounds = Math.min(config.rounds.max, asked.rounds?.(settings) ?? Infinity)
    const engine = config.engines?.[experiment]
    const own = asked.loads(settings)
    // Figures of two engines are not the same thing: the label keeps them apart.
    const loads =
      engine === undefined
        ? own
        : own.map((each) => ({
            ...each,
            label: `${each.label} by ${engine}`,
            load: catalogue.driveWith(each.load, engine),
          }))
    const haveUnits = Object.values(catalogue.platforms).flatMap(({ name, hasUnits }) =>
      hasUnits ? [name] : [],
    )
    if (loads.some(({ units }) => units) && !haveUnits.includes(config.platform))
      throw new UserError(
        `${experiment} needs hops that can be had any number of times, with or without an application: ${config.platform} has none`,
        { hint: `measure it with --platform ${haveUnits.join(' or ')}` },
      )
    const carrying = (hopsAlone = false) =>
      arms.filter(({ path, role }) =>
        role === 'subject' ? (asked.carries?.(named(catalogue.paths, path)) ?? true) : !hopsAlone,
      )
    return loads.flatMap(({ label, load, search, script, hopsAlone, units }) => {
      const under = carrying(hopsAlone).map((arm) => ({ arm, script: scriptOf(script, arm, catalogue) }))
      const scripts = under.flatMap((each) => (each.script ? [each.script] : []))
      refuseChanges(experiment, config.platform, scripts, catalogue)
      const able = under.filter((each) => canHave(each.script, each.arm, catalogue))
      // Baselines alone would be compared with nothing.
      if (able.length < under.length && able.every(({ arm }) => arm.role !== 'subject')) return []
      return {
        experiment,
        // What a search needs does not depend on how precisely something else is wanted.
        rounds: search?.maxProbes ?? rounds,
        cells: able.map(({ arm, script: ofArm }) => ({
          id: `${experiment}|${arm.id}|${label}`,
          experiment,
          arm: arm.id,
          load: { ...withRestarts(load, config.platform, scripts, catalogue), ...more },
          loadLabel: label,
          ...defined({ search, script: ofArm, units: arm.role === 'subject' ? units : undefined }),
        })),
      }
    })
  })
}

/** Groups whose cells are shuffled together: one for each load, or one for all loads that are compared with each other. */
function together(groups: readonly CellGroup[], { experiments }: Catalogue): readonly CellGroup[] {
  return groups.flatMap((group) => {
    if (!named(experiments, group.experiment).comparesLoads) return [group]
    // A search has rounds of its own.
    const all = groups.filter(
      ({ experiment, rounds }) => experiment === group.experiment && rounds === group.rounds,
    )
    return all[0] === group ? [{ ...group, cells: all.flatMap(({ cells }) => cells) }] : []
  })
}

/** More trials than a plan can name: they would take weeks, and its journal's first line hundreds of MB. */
const mostTrials = 2_000_000

function refuseTooMany(groups: readonly CellGroup[]): void {
  const trials = groups.reduce((sum, { cells, rounds }) => sum + cells.length * rounds, 0)
  if (trials > mostTrials)
    throw new UserError(`the plan has ${trials} trials, and ${mostTrials} at most can be planned`, {
      hint: 'ask for fewer rounds, arms or loads: rounds.budgetMinutes ends a run before its last round',
    })
}

/**
 * Environments one after another (on `local` there is one), rounds within, every arm once in each round in an order
 * of its own, so that drift hits all arms alike. With blocks, environments take turns, each time in another order, so
 * that what drifts between clusters hits all of them, too; a single one comes up anew for each, with other processes.
 */
function orderTrials(
  config: ResolvedConfig,
  arms: readonly Arm[],
  groups: readonly CellGroup[],
): TrialSpec[] {
  const random = seededRandom(config.seed)
  const environments = [...new Set(arms.map(({ environment }) => environment))]
  const environmentOf = new Map(arms.map((arm) => [arm.id, arm.environment]))
  const rounds = Math.max(0, ...groups.map((group) => group.rounds))
  const edges = blockEdges(config, rounds)
  const order: TrialSpec[] = []
  for (const [block, first] of edges.slice(0, -1).entries()) {
    for (const environment of shuffle(environments, random)) {
      for (let round = first; round < (edges[block + 1] ?? rounds); round++) {
        for (const group of groups.filter((candidate) => round < candidate.rounds)) {
          const cells = group.cells.filter((cell) => environmentOf.get(cell.arm) === environment)
          for (const cell of shuffle(cells, random)) order.push({ index: order.length, round, cell: cell.id })
        }
      }
    }
  }
  return order
}

/** The first round of each block, and at the end how many rounds there are. */
function blockEdges({ rounds: { blocks = 1 } }: ResolvedConfig, rounds: number): readonly number[] {
  const count = Math.min(blocks, Math.max(1, rounds))
  return Array.from({ length: count + 1 }, (_, edge) => Math.round((edge * rounds) / count))
}

/** Each stay brings its environment up with all its arms, and each trial reads every hop, whether it carries it or not. */
function estimate(plan: Planned, times: PlatformTimes): number {
  const loadOf = new Map(plan.cells.map(({ id, load }) => [id, load]))
  return visitsOf(plan).reduce((sum, { request: { arms, paths }, trials }) => {
    const hops = arms.flatMap((arm) => paths.find(({ name }) => name === arm.path)?.hops ?? []).length
    const raising = times.environmentMs + arms.length * times.armMs + hops * times.hopMs
    const reading = hops * (times.trialHopMs ?? 0)
    return trials.reduce((ms, { cell }) => ms + trialMs(loadOf.get(cell), times) + reading, sum + raising)
  }, 0)
}

export function trialMs(load: LoadSpec | undefined, times: PlatformTimes): number {
  return load ? load.warmupMs + load.durationMs + times.trialMs : 0
}

/** One stay in an environment: its trials from when it comes up to when it goes down. */
export interface Visit {
  readonly request: EnvironmentRequest
  readonly trials: readonly TrialSpec[]
}

/** What of a plan tells of its stays. */
type Planned = Pick<Plan, 'config' | 'arms' | 'paths' | 'cells' | 'order'>

/** The stays of a plan in their order: one for each environment, or with blocks one for each of its turns. */
export function visitsOf(plan: Planned): readonly Visit[] {
  const requests = new Map(environmentRequests(plan).map((request) => [request.id, request]))
  const environmentOf = environmentsOfCells(plan)
  const visits: { request: EnvironmentRequest; trials: TrialSpec[] }[] = []
  const isNew = newStays(plan.config, plan.order, ({ cell }) => environmentOf.get(cell))
  for (const [index, trial] of plan.order.entries()) {
    const request = requests.get(environmentOf.get(trial.cell) ?? '')
    if (!request) throw new Error(`the plan names an unknown cell: ${trial.cell}`)
    if (isNew(trial, plan.order[index - 1])) visits.push({ request, trials: [] })
    visits.at(-1)?.trials.push(trial)
  }
  return visits
}

/**
 * Whether an environment comes up for a trial, given the one before it. Where there are several, two turns of one that meet
 * at a block's edge are one stay, since clusters are dear to bring up; where there is one, a block would be nothing else.
 */
function newStays(
  config: ResolvedConfig,
  order: readonly TrialSpec[],
  environmentOf: (trial: TrialSpec) => string | undefined,
): (trial: TrialSpec, before: TrialSpec | undefined) => boolean {
  const edges = blockEdges(config, roundsOf({ order }))
  const isSingle = new Set(order.map(environmentOf)).size === 1
  const blockOf = ({ round }: TrialSpec) => edges.findLastIndex((first) => first <= round)
  return (trial, before) =>
    before === undefined ||
    environmentOf(trial) !== environmentOf(before) ||
    (isSingle && blockOf(trial) !== blockOf(before))
}

/** The environments of a plan, each with its arms, in the order in which the plan visits them first. */
export function environmentRequests(plan: Planned): readonly EnvironmentRequest[] {
  const environmentOf = environmentsOfCells(plan)
  const visited = new Set(plan.order.map(({ cell }) => environmentOf.get(cell) ?? ''))
  return [...visited].map((id) => ({
    id,
    config: plan.config,
    arms: withCopies(
      plan.arms.filter((arm) => arm.environment === id),
      plan,
    ),
    paths: plan.paths,
  }))
}

function environmentsOfCells({ arms, cells }: Planned): ReadonlyMap<string, string | undefined> {
  const environmentOf = new Map(arms.map((arm) => [arm.id, arm.environment]))
  return new Map(cells.map((cell) => [cell.id, environmentOf.get(cell.arm)]))
}

/** Arms with those of their copies that some trial uses. */
function withCopies(arms: readonly Arm[], { cells, paths }: Pick<Plan, 'cells' | 'paths'>): readonly Arm[] {
  return arms.flatMap((arm) => {
    const path = paths.find(({ name }) => name === arm.path)
    const own = cells.filter((cell) => cell.arm === arm.id)
    const copies = new Set(path && own.flatMap((cell) => copiesFor(cell, path)))
    const cpusPerHop = own.find(({ units }) => units)?.units?.cpusPerHop
    const limits = (which: Copy['which']) => (unitNumber(which) === undefined ? {} : defined({ cpusPerHop }))
    return [
      arm,
      ...[...copies].map((which) => ({
        ...arm,
        id: copyId(arm.id, which),
        copy: { of: arm.id, which, ...limits(which) },
      })),
    ]
  })
}
