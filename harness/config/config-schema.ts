/** What `bench.config.ts` may say: the shapes of the model, with the names that there are and what holds where nothing is said. */
import { z } from 'zod'
import { engineNames } from '../protocol/engines.js'
import {
  costSchema,
  fleetSchema as fleetShape,
  gateCheckSchema,
  gatePolicySchema,
  resolvedConfigSchema,
  roundsSchema,
  thresholdSchema,
  validitySchema,
} from '../model/config.js'
import { profileNames } from './profiles.js'
import { meshes, type MeshName } from '../../infra/meshes/index.js'
import { defaultPlatform, platforms } from '../../infra/platforms/index.js'
import { experiments, type ExperimentName } from '../../scenarios/experiments/index.js'
import { metricIds, metrics } from '../../scenarios/registry.js'
import { paths, type PathName } from '../../scenarios/paths/index.js'

/** `mesh/path`, for example `reference/l4-only`. */
export type ArmName = `${MeshName}/${PathName}`

/** An arm as it is configured, or as one of the run's variants has it. */
type MeasuredArm = ArmName | `${ArmName}@${string}`

/** Checked with the profile's timing laid under them; see resolve-config.ts. */
type ExperimentSettings = {
  readonly [Name in ExperimentName]?: z.input<(typeof experiments)[Name]['settings']>
}

export const names = <Name extends string>(registry: Readonly<Record<Name, unknown>>) =>
  Object.keys(registry) as Name[]
const named = <Name extends string>(registry: Readonly<Record<Name, unknown>>) => z.enum(names(registry))
/** Text that is checked later, when it is known what else the run measures. */
const checkedLater = <Type>(schema: z.ZodType) => schema as z.ZodType<Type, Type>
const anySettings = z.record(z.string(), z.unknown()).readonly()

/** What each of a registry lets be set. */
function ownSettings<Name extends string>(
  registry: Readonly<Record<Name, { readonly settings?: z.ZodType }>>,
) {
  type Settings = Readonly<Partial<Record<Name, Readonly<Record<string, unknown>>>>>
  const shape = names(registry).map((name) => [
    name,
    (registry[name].settings ?? z.strictObject({})).optional(),
  ])
  return z.strictObject(Object.fromEntries(shape) as z.ZodRawShape) as unknown as z.ZodType<
    Settings,
    Settings
  >
}

/** Of times: which of their percentiles. */
const percentile = z.union([z.literal(50), z.literal(90), z.literal(99), z.literal(99.9)]).exactOptional()

/** Its id; see `meshbench list`. */
const metric = z.enum(metricIds)

const threshold = z
  .strictObject({
    ...thresholdSchema.unwrap().shape,
    metric,
    percentile,
    /** As `mesh/path`, with `@variant` where there are some. */
    arm: checkedLater<MeasuredArm>(z.string()),
    /** An arm whose figure is the measure: limits are then ratios to it. */
    relativeTo: checkedLater<MeasuredArm | 'none/baseline'>(z.string()).exactOptional(),
    /** Where it is judged; absent: wherever it was measured and nothing was killed, paused or flooded meanwhile. */
    experiment: named(experiments).exactOptional(),
  })
  .superRefine(({ metric: id, ...given }, context) => {
    const metric = metrics.get(id)
    const problem = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (given.max === undefined && given.min === undefined) problem('max', 'give max, min or both')
    if (given.max !== undefined && given.min !== undefined && given.min > given.max)
      problem('min', `${given.min} is more than max, ${given.max}; allowed: at most max`)
    if (given.relativeTo === given.arm) problem('relativeTo', 'an arm is as much as itself; name another')
    if (given.relativeTo !== undefined && metric && 'counted' in metric)
      problem('relativeTo', `arms are not compared by ${id}, which is counted; leave it out`)
    if (!metric?.percentiles && given.percentile !== undefined)
      problem('percentile', `${id} has none; leave it out`)
    if (metric?.percentiles && given.percentile === undefined)
      problem('percentile', 'needed for latency and connections: 50, 90, 99 or 99.9')
    const travels = given.relativeTo !== undefined || metric?.travels === true
    if (!travels && given.absolute !== true)
      problem(
        'absolute',
        'absolute figures do not travel between hosts: use relativeTo, or set absolute: true if you mean it',
      )
  })
  .readonly()

const gateCheck = z
  .strictObject({ ...gateCheckSchema.unwrap().shape, metric, percentile })
  .superRefine((check, context) => {
    if ((metrics.get(check.metric)?.percentiles !== undefined) !== (check.percentile !== undefined))
      context.addIssue({
        code: 'custom',
        path: ['percentile'],
        message: 'belongs to times, and latency needs it, as connect.* does: 50, 90, 99 or 99.9',
      })
  })
  .readonly()

const cost = costSchema.unwrap().shape

/** Whose bill is told; one waypoint unless it says how many. */
export const fleetSchema = z
  .strictObject({ ...fleetShape.unwrap().shape, waypoints: fleetShape.unwrap().shape.waypoints.default(1) })
  .readonly()

const validity = validitySchema.unwrap().shape
const config = resolvedConfigSchema.unwrap().shape

export const configSchema = z.strictObject({
  /** Seed of the order of trials, of Poisson arrivals and of the bootstrap. Default: 1. */
  seed: config.seed.default(1),
  /** How long and how often things are measured. Default: `quick`. */
  profile: z.enum(profileNames).default('quick'),
  /** Where hops, application and generator run. Default: `local`. */
  platform: named(platforms).default(defaultPlatform),
  /** Which paths to measure on which mesh; the baseline and its twin are always measured. */
  arms: z.partialRecord(named(meshes), z.array(named(paths)).min(1).readonly()).readonly(),
  /** Which experiments to run, with their settings. Default: `latency` and `capacity` as they come. */
  experiments: checkedLater<ExperimentSettings>(z.partialRecord(named(experiments), anySettings)).default({
    latency: {},
    capacity: {},
  }),
  /** Another load engine than an experiment’s own, for example `{ saturation: 'wrk' }`; see `meshbench list`. */
  engines: z.partialRecord(named(experiments), z.enum(engineNames)).default({}),
  /** How often everything is measured. Default: as the profile has it. */
  rounds: z.strictObject(roundsSchema.unwrap().shape).partial().default({}),
  /** Conditions that decide the exit code. */
  thresholds: z.array(threshold).readonly().default([]),
  /** How `meshbench gate` judges variants. Default: CPU by 5 %, p50 and throughput by 10 %; inconclusive passes. */
  gate: z
    .strictObject({
      /** Metrics that are judged, each by how much is too much. */
      checks: z.array(gateCheck).min(1).readonly(),
      inconclusive: gatePolicySchema.unwrap().shape.inconclusive,
      noData: gatePolicySchema.unwrap().shape.noData,
    })
    .partial()
    .default({}),
  /** Prices of what hops take, and the fleet that it is told for. Default: 0.04 USD per vCPU-hour, 0.005 USD per GiB-hour. */
  cost: z
    .strictObject({
      perVcpuHour: cost.perVcpuHour.default(0.04),
      perGibHour: cost.perGibHour.default(0.005),
      currency: cost.currency.default('USD'),
      /** What you run, or mean to: cores, memory and money of each path are told for it. */
      fleet: fleetSchema.exactOptional(),
    })
    .prefault({}),
  /** A mesh's own settings, for example `{ reference: { tunnel: { pool: { maxStreamsPerConnection: 10 } } } }`. */
  meshSettings: ownSettings(meshes).default({}),
  /** A platform's own settings, for example `{ docker: { baseImage: '…@sha256:…' } }`. */
  platformSettings: ownSettings(platforms).default({}),
  /** Limits beyond which a trial is invalid. */
  validity: z
    .strictObject({
      minAchievedShare: validity.minAchievedShare.default(0.98),
      maxSendLagP99Us: validity.maxSendLagP99Us.default(5_000),
      maxGeneratorCpuShare: validity.maxGeneratorCpuShare.default(0.9),
      maxErrorShare: validity.maxErrorShare.default(0),
      maxStealShare: validity.maxStealShare.default(0.2),
      maxForeignCpuShare: validity.maxForeignCpuShare.default(0.5),
      maxBusyShare: validity.maxBusyShare.default(0.95),
    })
    .prefault({}),
  /** Folder that runs are written to. Default: `results`. */
  outDir: z.string().min(1).default('results'),
})
