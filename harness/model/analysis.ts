/** What is made of a journal: every figure that a report prints. Published as JSON Schema in reports/analysis.schema.json. */
import { z } from 'zod'
import { loadSpecSchema } from '../protocol/spec.js'
import { resolvedConfigSchema, thresholdSchema } from './config.js'
import { fingerprintSchema, trialSchema } from './journal.js'
import { billCategorySchema, layerSchema, pathSchema } from './paths.js'
import { armSchema, kneeSearchSchema } from './plan.js'
import { trialErrorSchema } from './running/faults.js'
import { factSchema, proofCheckSchema } from './running/readings.js'
import { componentSchema } from './running/workloads.js'
import { count, list, name, number, object, record, text } from './shape.js'

/** A figure with its uncertainty. `low` and `high` bound it at `level`. */
export const estimateSchema = object({
  value: number,
  unit: z.enum(['ms', 'us', 'ratio', 'req/s', 'MiB', 'share', 'vCPU', 'currency', 'count', 'Gb/s', 's']),
  low: number.describe('lower bound at `level`'),
  high: number.describe('upper bound at `level`'),
  beyond: z
    .enum(['above', 'below'])
    .exactOptional()
    .describe(
      'only one side is known: the truth lies at or above `value`, or below it, and the bound on that side means nothing',
    ),
  /** For example 0.95. */
  level: number,
  n: count.describe(
    'rounds that the figure rests on; 0: there was no valid trial; 1: the bounds are a convention',
  ),
  /** For example `paired Hodges-Lehmann, bootstrap BCa, 2000 resamples`. */
  method: text,
  /** Cells of the journal that it was computed from. */
  cells: list(text),
}).meta({ id: 'Estimate', description: 'A figure with its uncertainty.' })
export interface Estimate extends z.infer<typeof estimateSchema> {}

/** percentile as text (`50`, `90`, `99`, `99.9`) → estimate. */
const byPercentile = record(estimateSchema)

const verdictSchema = z.enum(['better', 'worse', 'inconclusive'])
export type Verdict = z.infer<typeof verdictSchema>

/** One metric of one cell against the cell of its baseline (or of another arm), paired by round. */
export const comparisonSchema = object({
  id: text,
  metric: name,
  percentile: number.exactOptional(),
  experiment: text,
  loadLabel: text,
  arm: text,
  versus: text,
  difference: estimateSchema,
  ratio: estimateSchema,
  /** Lower is better but for throughput. */
  verdict: verdictSchema,
  pValue: number.describe('adjusted for the family of comparisons (Holm)'),
  detectable: number.describe(
    "smallest difference, in the difference's unit, that this run would have found with 80 % power",
  ),
  /** Of a metric whose samples are processes: in how many lives of them the paired rounds were measured. */
  lives: count.exactOptional(),
})
export interface Comparison extends z.infer<typeof comparisonSchema> {}

const curvePointSchema = object({
  /** Percentile, 0 < p < 100. */
  percentile: number,
  ms: number,
  lowMs: number.exactOptional(),
  highMs: number.exactOptional(),
})
export interface CurvePoint extends z.infer<typeof curvePointSchema> {}

/** One row of the bill, CPU in ms per 1 000 requests and memory in MiB. */
const billRowSchema = object({
  component: text,
  category: z.enum([...billCategorySchema.options, 'unaccounted', 'orchestrator']),
  layer: layerSchema.exactOptional(),
  hop: text.exactOptional(),
  cpu: estimateSchema,
  cpuUserShare: number.exactOptional(),
  /** Resident memory; its proportional part (shared pages divided by those who share them); the most there ever was. */
  memory: estimateSchema.exactOptional(),
  memoryPss: estimateSchema.exactOptional(),
  memoryPeak: estimateSchema.exactOptional(),
  /** Context switches per 1 000 requests, voluntary and not. */
  contextSwitches: estimateSchema.exactOptional(),
  readSyscalls: estimateSchema
    .exactOptional()
    .describe('calls of the read(2) family per 1 000 requests; not recv or epoll'),
  writeSyscalls: estimateSchema
    .exactOptional()
    .describe('calls of the write(2) family per 1 000 requests; not send'),
  /** Of long transfers: CPU seconds per GiB of payload. */
  cpuPerGib: estimateSchema.exactOptional(),
  /** Where the CPU was read, for example `cgroup-v1`, `schedstat`, `ticks`; and the finest step of that. */
  source: text.exactOptional(),
  resolutionNs: number.exactOptional(),
})
export interface BillRow extends z.infer<typeof billRowSchema> {}

const kneeTrialSchema = object({
  round: count,
  ratePerSecond: number,
  passed: z.boolean(),
  /** Response time at the search's percentile; absent when nothing was answered. */
  latencyMs: number.exactOptional(),
  unsent: count,
  errors: count,
})
export interface KneeTrial extends z.infer<typeof kneeTrialSchema> {}

/** How the search for a cell's knee went; the knee itself is the cell's `throughput`. */
const kneeAnalysisSchema = object({
  search: kneeSearchSchema,
  trials: list(kneeTrialSchema),
  /**
   * `precise`: as wanted; `probes`: the trials ran out before; `above` and `below`: the knee lies beyond the rates that
   * were tried; `unfinished`: the run ended before the search.
   */
  end: z.enum(['precise', 'probes', 'above', 'below', 'unfinished']),
  /** The generator was out of CPU where trials failed: the arm may carry more. */
  generatorLimited: z.boolean(),
})
export interface KneeAnalysis extends z.infer<typeof kneeAnalysisSchema> {}

/** What a new connection costs. Both times start when the connection was begun. */
const connectAnalysisSchema = object({
  /** ms until the connection stood: on a mesh, with the first hop. */
  time: byPercentile,
  /** ms until the first byte of the reply: what opening costs along the whole path. */
  firstByte: byPercentile,
  /** 0: the hops pool what they encrypt, or encrypt nothing; 1: each connection of the client cost a handshake on one leg. */
  handshakesPerConnection: estimateSchema.exactOptional(),
  /** The share of these that resumed an earlier session instead of proving identities anew. */
  resumptionsPerConnection: estimateSchema.exactOptional(),
})
export interface ConnectAnalysis extends z.infer<typeof connectAnalysisSchema> {}

/** What moving bytes costs. */
const streamAnalysisSchema = object({
  /** Gb/s (10⁹ bits) of payload. */
  throughput: estimateSchema,
  /** Attributed CPU, as in `CellAnalysis.cpu`, in seconds per GiB (2³⁰ bytes) of payload. */
  cpuPerGib: estimateSchema.exactOptional(),
})
export interface StreamAnalysis extends z.infer<typeof streamAnalysisSchema> {}

/** What happened over the window, slice by slice, where a load is sliced. */
const timelineSchema = object({
  sliceMs: number,
  rounds: count,
  /** Medians over rounds of the mean response time of requests that were due in a slice; of failed ones the sum over rounds. */
  workloads: list(object({ meanMs: list(number), failed: list(count) })),
  /** What was done, ms from the start of the window, at the median. */
  events: list(object({ action: text, startedMs: number, endedMs: number })),
})
export interface Timeline extends z.infer<typeof timelineSchema> {}

export const cellAnalysisSchema = object({
  cell: text,
  experiment: text,
  arm: text,
  load: loadSpecSchema,
  loadLabel: text,
  trials: object({ ok: count, invalid: count, failed: count }),
  /** ms. */
  response: byPercentile.exactOptional(),
  service: byPercentile.exactOptional(),
  /** Percentile curve of all valid trials' merged histograms. */
  curve: list(curvePointSchema).exactOptional(),
  /** Answered requests a second; where the knee was searched, the largest rate that kept the promise. */
  throughput: estimateSchema,
  /** Present where the knee was searched. Figures at one rate are absent then: the trials had different ones. */
  knee: kneeAnalysisSchema.exactOptional(),
  /**
   * Attributed CPU, in ms per 1 000 requests: what the counters of the hops, the application and the control plane
   * show. Generator and orchestrator are left out, and so is what no component accounts for (softirq, kernel workers,
   * other people's work): that is the bill's row `unaccounted`.
   */
  cpu: estimateSchema.exactOptional(),
  /** The same of the hops alone. */
  hopCpu: estimateSchema.exactOptional(),
  /** Resident memory of the hops, MiB. */
  hopMemory: estimateSchema.exactOptional(),
  timeline: timelineSchema.exactOptional(),
  /** Of an experiment that opens a connection for every request. */
  connect: connectAnalysisSchema.exactOptional(),
  /** Of an experiment with long transfers. */
  stream: streamAnalysisSchema.exactOptional(),
  /** Metrics of the experiment that have no place of their own above: id → estimate, of times by percentile. */
  figures: record(z.union([estimateSchema, byPercentile])).exactOptional(),
  bill: list(billRowSchema),
  /**
   * The kernel's share of the host's CPU, ms per 1 000 requests: time in soft interrupts, as ticks sample it, and of the
   * threads that take their work over. It lies within rows of the bill, in the name of whoever was interrupted, and is
   * given to no hop.
   */
  kernel: list(object({ part: z.enum(['softirq', 'ksoftirqd']), cpu: estimateSchema })).exactOptional(),
  /** Components + unaccounted − host total, as a share of the host total. */
  billGapShare: number.exactOptional(),
  /** Part of the host total that no component, generator and orchestrator included, accounts for. */
  unaccountedShare: number.exactOptional(),
  errorShare: number,
  /** What the engine that drove it cannot give, in words. */
  engineLimits: list(text).exactOptional(),
})
export interface CellAnalysis extends z.infer<typeof cellAnalysisSchema> {}

/** What one layer of hops adds, from the increments between paths. */
const incrementSchema = object({
  title: text,
  fromArm: text,
  toArm: text,
  latencyP50: estimateSchema,
  cpu: estimateSchema,
  /** What a reader must know of the step beside its figures. */
  note: text.exactOptional(),
})
export interface Increment extends z.infer<typeof incrementSchema> {}

const claimIdSchema = z.enum(['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8', 'C9', 'C10', 'C11', 'C12'])
export type ClaimId = z.infer<typeof claimIdSchema>

const claimAnalysisSchema = object({
  id: claimIdSchema,
  claim: text,
  verdict: z.enum(['supported', 'refuted', 'inconclusive', 'no data']),
  /** Plain sentence with figures and intervals. */
  sentence: text,
  figures: list(object({ label: text, estimate: estimateSchema })),
  /** What would decide it, when it is inconclusive or has no data. */
  next: text.exactOptional(),
})
export interface ClaimAnalysis extends z.infer<typeof claimAnalysisSchema> {}

const thresholdVerdictSchema = object({
  threshold: thresholdSchema,
  /** What it was judged at; missing without data. */
  experiment: text.exactOptional(),
  loadLabel: text.exactOptional(),
  /** Ids of arms that it names and that are not in the run. */
  absent: list(name).exactOptional(),
  state: z.enum(['pass', 'fail', 'inconclusive', 'no data']),
  expected: text,
  actual: estimateSchema.exactOptional(),
  visible: number
    .exactOptional()
    .describe(
      'smallest difference that this run could have seen, in the unit of `actual`, of a ratio as a share',
    ),
  sentence: text,
})
export interface ThresholdVerdict extends z.infer<typeof thresholdVerdictSchema> {}

/** The A/A comparison: how far two measurements of the same thing lie apart. */
const noiseFloorSchema = object({
  environment: text,
  loadLabel: text,
  experiment: text,
  latencyP50: estimateSchema,
  /** Absent where a trial's requests do not reach so far. */
  latencyP99: estimateSchema.exactOptional(),
  cpu: estimateSchema.exactOptional(),
  /** Smallest difference of each that this run could have seen, in its unit. */
  visible: object({
    latencyP50: number,
    latencyP99: number.exactOptional(),
    cpu: number.exactOptional(),
  }).exactOptional(),
  /** True when the two differ significantly: the run cannot be trusted to its printed precision. */
  differs: z.boolean(),
})
export interface NoiseFloor extends z.infer<typeof noiseFloorSchema> {}

/** What a run's figures come to for the config's fleet, arm by arm, under one load. */
const fleetBillSchema = object({
  experiment: text,
  loadLabel: text,
  arm: text,
  /** Whether a hop of its path parses requests. */
  doesL7: z.boolean(),
  /** Hops of the fleet: how many there are for whom, and what one of them holds in MiB. */
  hops: list(object({ per: z.enum(['pod', 'node', 'waypoint']), count, memory: estimateSchema })),
  /** Cores that the path adds at the fleet's rate. */
  cores: estimateSchema,
  /** Of all hops, MiB; absent where a hop's is not known. */
  memory: estimateSchema.exactOptional(),
  /** Money a month for memory, which is the same at any rate. */
  memoryPerMonth: estimateSchema.exactOptional(),
  /** Money a month in all, at the fleet's own rate first, then at others. */
  perMonth: list(object({ requestsPerSecond: number, cost: estimateSchema })),
  /** Against the arm that costs the least at the fleet's own rate, of those with an L7 hop or of those without; absent of that one. */
  versus: object({ arm: text, ratio: estimateSchema, verdict: verdictSchema }).exactOptional(),
})
export interface FleetBill extends z.infer<typeof fleetBillSchema> {}

const trialFigures = {
  index: count,
  round: count,
  attempt: count,
  experiment: text,
  arm: text,
  cell: text,
  state: trialSchema.unwrap().shape.state,
  startedAt: text,
  p50Ms: number.exactOptional(),
  p99Ms: number.exactOptional(),
  achievedRatePerSecond: number.exactOptional(),
  cpuMsPer1000: number.exactOptional(),
  connectP50Ms: number.exactOptional(),
  connectP99Ms: number.exactOptional(),
  firstByteP50Ms: number.exactOptional(),
  firstByteP99Ms: number.exactOptional(),
  gigabitsPerSecond: number.exactOptional(),
  cpuSecondsPerGib: number.exactOptional(),
  sendLagP99Us: number.exactOptional(),
  /** CPU of the generator as a share of what it may use: a core for each worker of each generator. */
  generatorCpuShare: number.exactOptional(),
  sent: count.exactOptional(),
  unsent: count.exactOptional(),
  errors: count.exactOptional(),
}
/** What a trial has one word or figure of, in the order in which a table shows it. */
export const trialFigureNames = Object.keys(trialFigures) as readonly (keyof typeof trialFigures)[]

/** A trial without its histograms, for tables and strips. */
const trialSummarySchema = object({
  ...trialFigures,
  /** Of a search's trial: the rate it was asked for. */
  ratePerSecond: number.exactOptional(),
  reasons: list(text),
  warnings: list(text),
  error: trialErrorSchema.exactOptional(),
  proofFailures: list(proofCheckSchema),
})
export interface TrialSummary extends z.infer<typeof trialSummarySchema> {}

/** Everything a report shows. A pure function of the journal. */
export const analysisSchema = object({
  schema: z.literal(1),
  version: text,
  runId: text,
  startedAt: text.describe('ISO 8601, UTC'),
  endedAt: text,
  outcome: z.enum(['complete', 'precise', 'budget', 'interrupted', 'failed', 'unfinished']),
  command: list(text),
  planHash: text,
  config: resolvedConfigSchema,
  host: fingerprintSchema,
  facts: list(factSchema),
  arms: list(armSchema),
  paths: list(pathSchema),
  components: list(componentSchema),
  cells: list(cellAnalysisSchema),
  comparisons: list(comparisonSchema),
  noise: list(noiseFloorSchema),
  increments: list(incrementSchema),
  fleet: list(fleetBillSchema).exactOptional(),
  claims: list(claimAnalysisSchema),
  thresholds: list(thresholdVerdictSchema),
  trials: list(trialSummarySchema),
  /** arm → checks: those made once, and a count of those made at each trial. */
  proofs: record(list(object({ ...proofCheckSchema.unwrap().shape, trials: count.exactOptional() }))),
  failures: record(trialErrorSchema),
  rounds: object({ planned: count, done: count }),
  warnings: list(text),
})
export interface Analysis extends z.infer<typeof analysisSchema> {}
