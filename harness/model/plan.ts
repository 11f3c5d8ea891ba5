/** What a run is asked to do: arms, loads, order. */
import { z } from 'zod'
import { loadSpecSchema, type LoadSpec } from '../protocol/spec.js'
import { resolvedConfigSchema } from './config.js'
import { copySchema, pathSchema, securitySchema, type Copy, type Path } from './paths.js'
import { scriptSchema, type Action, type Script } from './script.js'
import { amount, count, list, name, number, object, text } from './shape.js'

/**
 * One column of a comparison. `id` is `mesh/path`, with `@variant` for a build or setting under test; the A/A twin of
 * a baseline is `none/baseline-twin`.
 */
export const armSchema = object({
  id: name,
  mesh: name,
  path: name,
  variant: name.exactOptional(),
  /** Arm id of the same path that a variant is judged against; absent for what is not judged. */
  control: name.exactOptional(),
  /** `twin` is the baseline measured a second time under another name: its difference is the noise floor. */
  role: z.enum(['baseline', 'twin', 'subject']),
  /** Environment that this arm runs in; arms are compared only within one environment. */
  environment: name,
  /** Arm id that this arm is compared with; a baseline names itself. */
  baseline: name,
  /** The product that its mesh is one way of running, for example `istio`; absent: the mesh stands for itself. */
  family: name.exactOptional(),
  /** What protects the legs that its path encrypts, where that is not what the path says: see `carriedPath`. */
  transport: securitySchema.exclude(['mtls']).exactOptional(),
  /** Where on its path its mesh does what its variant turns on, in words; absent: on each hop of the layer. */
  place: text.exactOptional(),
  /** What carried its traffic, as it said itself when the arm came up, for example `stock Envoy 1.40`; absent in plans. */
  build: name.exactOptional(),
  /** Of hops that are raised again beside those of an arm; such arms are no column of any comparison. */
  copy: copySchema.exactOptional(),
})
export interface Arm extends z.infer<typeof armSchema> {}

/**
 * Copies of an arm that trials of a cell use: of its sidecars one for each workload after the first, and the spare; or its
 * units, which stand for the arm's own hops.
 */
export function copiesFor(
  cell: Pick<Cell, 'load' | 'script' | 'units'>,
  path: Path,
): readonly Copy['which'][] {
  const { load, script = [], units } = cell
  if (units) return Array.from({ length: load.workloads ?? 1 }, (_, index) => `unit-${index + 1}` as const)
  const workloads = hasSidecarsAlone(path) ? (load.workloads ?? 1) : 1
  const isSpare = (action: Action) =>
    ('load' in action ? action.along : action.target !== 'application' && action.target.of) === 'spare'
  return [
    ...Array.from({ length: workloads - 1 }, (_, index) => index + 2),
    ...(script.some(isSpare) ? ['spare' as const] : []),
  ]
}

/** Every hop stands beside a workload, so that another workload needs all of them again. */
export function hasSidecarsAlone({ hops }: Path): boolean {
  return hops.length > 0 && hops.every(({ role }) => role.startsWith('sidecar'))
}

/** The number of a unit, from 1 on; undefined of any other copy. */
export function unitNumber(which: Copy['which']): number | undefined {
  return typeof which === 'string' && which.startsWith('unit-')
    ? Number(which.slice('unit-'.length))
    : undefined
}

/** The id of a copy, as an arm of its own. */
export function copyId(arm: string, which: Copy['which']): string {
  return `${arm}+${which}`
}

/** The mesh that is none: what every other is compared with. */
export const baselineMesh = 'none'

/** How the largest rate at which an arm still keeps its promise is searched: its trials' rates are decided as it goes. */
export const kneeSearchSchema = object({
  /** A trial passes when this percentile of its response times is at most `latencyMs` and no request failed or was left. */
  percentile: number,
  latencyMs: number,
  /** First rate to try. */
  startPerSecond: number,
  minPerSecond: number,
  maxPerSecond: number,
  /** The search ends when the interval is within ± this share of the knee. */
  precision: number,
  /** Most trials of one arm. */
  maxProbes: count,
})
export interface KneeSearch extends z.infer<typeof kneeSearchSchema> {}

const unitsSchema = object({ cpusPerHop: z.number().positive().exactOptional() })
export interface Units extends z.infer<typeof unitsSchema> {}

/** A load, and the label under which arms are compared. */
export interface LabelledLoad {
  readonly label: string
  readonly load: LoadSpec
  /** Search the knee: the load has no rate then, and each trial gets one of its own. */
  readonly search?: KneeSearch
  /** What is done to each arm while it is under the load; a baseline, which has no hops, is left alone. */
  readonly script?: Script | ((path: Path) => Script)
  /** What is read under it is the hops' own: the baseline, which has none, is left out. */
  readonly hopsAlone?: true
  /**
   * The load's workloads are units of L7 capacity: each with a copy of the arm's hops, and of the application where all of
   * them are sidecars. Only on a platform that has units.
   */
  readonly units?: Units
}

/** One arm under one load: the unit that gets estimates. */
export const cellSchema = object({
  /** `experiment|arm|load label`, unique in the plan. */
  id: name,
  experiment: name,
  arm: name,
  load: loadSpecSchema,
  /** Label of the load without the arm, shared by all cells that are compared, for example `1000/s c16 1024B http1`. */
  loadLabel: name,
  /** Absent: every trial has the load as it is. Else `load` has no rate, and each trial has one of its own. */
  search: kneeSearchSchema.exactOptional(),
  /** What every trial does to its environment while the load runs; absent: nothing. */
  script: scriptSchema.exactOptional(),
  /**
   * The load's workloads are units of L7 capacity, each a copy of the arm's hops whose L7 hops may use so many cores;
   * absent: they are workloads.
   */
  units: unitsSchema.exactOptional(),
})
export interface Cell extends z.infer<typeof cellSchema> {}

export const trialSpecSchema = object({
  /** Position in the plan's order, from 0. */
  index: count,
  /** Arms are compared within a round. Rounds count from 0 within an experiment's load. */
  round: count,
  cell: name,
})
export interface TrialSpec extends z.infer<typeof trialSpecSchema> {}

/** Everything that will be done, before anything is done. Pure function of the config. */
export const planSchema = object({
  schema: z.literal(1),
  /** SHA-256 over config, arms, cells and order: two runs with one hash did the same work. */
  hash: name,
  config: resolvedConfigSchema,
  arms: list(armSchema),
  /** Arms that a variant leaves as they are, since it can change nothing of them. */
  unvaried: list(object({ arm: name, variant: name, why: text })).exactOptional(),
  paths: list(pathSchema),
  cells: list(cellSchema),
  order: list(trialSpecSchema),
  estimateMs: amount,
})
export interface Plan extends z.infer<typeof planSchema> {}

/** One line for each arm and reason: which variants leave it as it is. */
export function unvariedLines({ unvaried = [] }: Pick<Plan, 'unvaried'>): readonly string[] {
  const byReason = new Map<string, string[]>()
  for (const { arm, variant, why } of unvaried) {
    const key = `${arm} as it is, not @%: ${why}`
    byReason.set(key, [...(byReason.get(key) ?? []), variant])
  }
  return [...byReason].map(([line, names]) => line.replace('%', names.join(', @')))
}

/** How long a plan takes at most: the budget that each environment has ends it, though not before the least of its rounds. */
export function longestMs({
  config,
  estimateMs,
  arms,
}: Pick<Plan, 'config' | 'estimateMs' | 'arms'>): number {
  const { min, max, budgetMinutes } = config.rounds
  const environments = new Set(arms.map(({ environment }) => environment)).size
  return Math.min(estimateMs, Math.max((estimateMs * min) / max, environments * budgetMinutes * 60_000))
}

/** Rounds of a plan, planned or for the cells that `of` names. A plan may have a million trials: no array of them is spread. */
export function roundsOf({ order }: Pick<Plan, 'order'>, cell?: string): number {
  return order.reduce(
    (most, spec) => (cell === undefined || spec.cell === cell ? Math.max(most, spec.round + 1) : most),
    0,
  )
}
