/** What a run is configured to do, after defaults, profile and flags: as a journal keeps it. */
import { z } from 'zod'
import { engineNames } from '../protocol/engines.js'
import { count, list, name, number, object, record, text } from './shape.js'

const share = z.number().min(0).max(1)
const positive = z.number().positive()
const counted = z.int().positive()

/** A condition that decides the exit code. */
export const thresholdSchema = object({
  /** Its id, see scenarios/metrics.ts. Here and in analyses it is text: a later version may have others. */
  metric: name,
  /** For times: 50, 90, 99, 99.9. */
  percentile: number.exactOptional(),
  /** mesh/path, with @variant where there are some. */
  arm: text,
  /** Compare with this arm instead of the arm's baseline. */
  relativeTo: text.exactOptional(),
  /** Only where this experiment measured it. Without it: wherever it was measured. */
  experiment: text.exactOptional(),
  /** Upper limit in the metric's unit; with `relativeTo`, of the ratio. */
  max: number.exactOptional(),
  /** Lower limit, likewise. */
  min: number.exactOptional(),
  /** Absolute figures do not travel between hosts: they need to be marked as meant. */
  absolute: z.boolean().exactOptional(),
})
export interface Threshold extends z.infer<typeof thresholdSchema> {}

/** Programs of this repository that hops run. */
export const ownProgramSchema = z.enum(['proxy', 'tunnel'])
export type OwnProgram = z.infer<typeof ownProgramSchema>

/** Another build of a program: a bundle by the hash of its content, or a container image that holds it. */
export const programBuildSchema = z.union([object({ sha256: text }), object({ reference: text })])
export type ProgramBuild = z.infer<typeof programBuildSchema>

/** A build or a setting under test. Every arm is measured with each variant, interleaved in the same rounds. */
export const variantSchema = object({
  name,
  /** Where it came from, in words for the report. */
  source: text,
  /** Laid over the settings of the arm's mesh, key by key. */
  settings: record(z.unknown()),
  builds: z.partialRecord(ownProgramSchema, programBuildSchema).readonly(),
  /** The one function of the hops that it turns on, by its name in scenarios/functions.ts. */
  function: text.exactOptional(),
  /** The variant that it is judged against in place of the arm as configured, which nothing else is. */
  control: name.exactOptional(),
  /** What requests must carry for it; the requests of every arm of the run do. */
  requestHeaders: record(text).exactOptional(),
})
export interface Variant extends z.infer<typeof variantSchema> {}

/** One metric that a variant is judged by. */
export const gateCheckSchema = object({
  /** Its id, as in a threshold. */
  metric: name,
  /** For times: 50, 90, 99, 99.9. */
  percentile: number.exactOptional(),
  /** Smallest relative change that matters, for example 0.05. */
  practical: positive.max(1),
})
export interface GateCheck extends z.infer<typeof gateCheckSchema> {}

/** How `meshbench gate` judges variants. */
export const gatePolicySchema = object({
  checks: list(gateCheckSchema),
  /** What an undecided check does to the exit code. */
  inconclusive: z.enum(['pass', 'fail']),
  /** What a threshold without any data does to the exit code. Default: `fail`. */
  noData: z.enum(['pass', 'fail']).exactOptional(),
})
export interface GatePolicy extends z.infer<typeof gatePolicySchema> {}

export const roundsSchema = object({
  /** Rounds that are measured in any case. */
  min: counted.max(10_000),
  /** Rounds after which it ends in any case. */
  max: counted.max(10_000),
  /** Stop early when every paired ratio is known to ± this share, for example 0.05. */
  untilEffect: positive.max(1),
  /** Of measuring in one environment: no round begins later, once there are `min` of them. */
  budgetMinutes: positive,
  /**
   * How often environments come up anew, each time with other processes; those that cannot stand side by side (clusters) take
   * turns. Absent: each is measured at one go, so that its processes are the same in all rounds.
   */
  blocks: counted.max(100).exactOptional(),
})

/** What a reader runs, or means to: what a run measured is told for it in cores, memory and money. Counts are of all of it. */
export const fleetSchema = object({
  /** Requests between services that pass the mesh, each counted once. */
  requestsPerSecond: positive.max(1e9),
  /** Pods in the mesh: where they have sidecars, as many of those. */
  pods: counted.max(1e7),
  /** Nodes with pods of the mesh on them: as many tunnels, or proxies of nodes. */
  nodes: counted.max(1e6),
  /** Waypoints, or gateways, of all services together. */
  waypoints: counted.max(1e6),
})
export interface Fleet extends z.infer<typeof fleetSchema> {}

/** Prices for what resources are worth. */
export const costSchema = object({
  /** One core for an hour. */
  perVcpuHour: number.min(0),
  /** 1 GiB of memory for an hour. */
  perGibHour: number.min(0),
  /** As it is printed. */
  currency: z.string().min(1).max(8),
  /** Whose bill is told, beside that of a thousand requests. */
  fleet: fleetSchema.exactOptional(),
})

/** Limits beyond which a trial is `invalid`. */
export const validitySchema = object({
  /** Share of achieved over asked rate, for example 0.98. */
  minAchievedShare: share,
  /** How much later than due requests were sent, at p99. */
  maxSendLagP99Us: positive,
  /** Share of one core that one generator worker may use, for example 0.9. */
  maxGeneratorCpuShare: positive.max(64),
  /** Share of requests that failed. */
  maxErrorShare: share,
  /** CPU that the hypervisor gave to others, as a share of the host. */
  maxStealShare: share,
  /** CPU used by processes that are not part of the run, as a share of the host. */
  maxForeignCpuShare: share,
  /** CPU used by all, as a share of the host, where a cluster shares it with what is measured. */
  maxBusyShare: share.exactOptional(),
})
export interface ValidityLimits extends z.infer<typeof validitySchema> {}

/** Names are text: a journal may name what this version no longer has. */
export const resolvedConfigSchema = object({
  seed: count.max(2 ** 32 - 1),
  profile: text,
  platform: name,
  /** mesh → paths, baseline left out (it is always there). */
  arms: record(list(text)),
  /** experiment name → its settings after defaults. */
  experiments: record(z.unknown()),
  /** experiment name → load engine that drives it, for those that are not driven by their own. */
  engines: record(z.enum(engineNames)).exactOptional(),
  rounds: roundsSchema,
  thresholds: list(thresholdSchema),
  /** Builds and settings that are measured side by side; see harness/model/variants.ts. */
  variants: list(variantSchema).exactOptional(),
  /** How variants are judged; absent in journals from before there were any. */
  gate: gatePolicySchema.exactOptional(),
  cost: costSchema,
  /** A mesh's own settings, by mesh name, for example the tunnel's pool size. */
  meshSettings: record(z.unknown()),
  /** A platform's own settings, by platform name, for example the base image of containers. */
  platformSettings: record(z.unknown()),
  validity: validitySchema,
  outDir: text,
})
export interface ResolvedConfig extends z.infer<typeof resolvedConfigSchema> {}
