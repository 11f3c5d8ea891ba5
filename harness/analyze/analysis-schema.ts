/** The shape of analysis.json, published as JSON Schema, so that other tools may read it without this code. */
import { z } from 'zod'
import { metricIds } from './metric-ids.js'
import type { Analysis } from '../model.js'

const text = z.string()
const number = z.number()
const count = z.int().min(0)
const share = z.number()
const list = <T extends z.ZodType>(item: T) => z.array(item).readonly()
const record = <T extends z.ZodType>(value: T) => z.record(z.string(), value).readonly()
const object = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape).readonly()

const layer = z.enum(['l4', 'l7'])
const node = z.enum(['client', 'server', 'waypoint'])
const billCategory = z.enum(['generator', 'application', 'l4', 'l7', 'control-plane', 'platform'])
const metric = z.enum(metricIds)

const estimate = object({
  value: number,
  unit: z.enum(['ms', 'us', 'ratio', 'req/s', 'MiB', 'share', 'vCPU', 'currency', 'count', 'Gb/s', 's']),
  low: number.describe('lower bound at `level`'),
  high: number.describe('upper bound at `level`'),
  beyond: z
    .enum(['above', 'below'])
    .exactOptional()
    .describe('only one side is known: the truth lies at or above `value`, or below it'),
  level: number,
  n: count.describe(
    'rounds that the figure rests on; 0: there was no valid trial; 1: the bounds are a convention',
  ),
  method: text,
  cells: list(text),
}).meta({ id: 'Estimate', description: 'A figure with its uncertainty.' })

const threshold = object({
  metric,
  percentile: number.exactOptional(),
  arm: text,
  relativeTo: text.exactOptional(),
  experiment: text.exactOptional(),
  max: number.exactOptional(),
  min: number.exactOptional(),
  absolute: z.boolean().exactOptional(),
})

const variant = object({
  name: text,
  source: text,
  settings: record(z.unknown()),
  builds: record(z.union([object({ sha256: text }), object({ reference: text })])),
  function: text.exactOptional(),
  requestHeaders: record(text).exactOptional(),
})

const gatePolicy = object({
  checks: list(object({ metric, percentile: number.exactOptional(), practical: number })),
  inconclusive: z.enum(['pass', 'fail']),
})

const config = object({
  seed: count,
  profile: text,
  platform: text,
  arms: record(list(text)),
  experiments: record(z.unknown()),
  engines: record(text).exactOptional(),
  rounds: object({ min: count, max: count, untilEffect: number, budgetMinutes: number }),
  thresholds: list(threshold),
  variants: list(variant).exactOptional(),
  gate: gatePolicy.exactOptional(),
  cost: object({ perVcpuHour: number, perGibHour: number, currency: text }),
  meshSettings: record(z.unknown()),
  platformSettings: record(z.unknown()),
  validity: object({
    minAchievedShare: share,
    maxSendLagP99Us: number,
    maxGeneratorCpuShare: share,
    maxErrorShare: share,
    maxStealShare: share,
    maxForeignCpuShare: share,
  }),
  outDir: text,
})

const load = object({
  engine: text,
  model: z.enum(['open', 'closed']),
  protocol: z.enum(['http1', 'h2', 'grpc', 'tcp']),
  ratePerSecond: number.exactOptional(),
  arrival: z.enum(['uniform', 'poisson']).exactOptional(),
  connections: count,
  warmupMs: number,
  durationMs: number,
  payloadBytes: number,
  timeoutMs: number,
  workers: count.exactOptional(),
  headers: record(text).exactOptional(),
}).meta({ id: 'LoadSpec' })

const path = object({
  name: text,
  label: text,
  summary: text,
  colour: object({ light: text, dark: text }),
  hops: list(
    object({
      name: text,
      role: z.enum([
        'sidecar-outbound',
        'sidecar-inbound',
        'waypoint',
        'ingress',
        'per-node',
        'tunnel-outbound',
        'tunnel-inbound',
      ]),
      layer,
      node,
    }),
  ),
  legs: list(z.enum(['plain', 'mtls', 'hbone'])),
})

const arm = object({
  id: text,
  mesh: text,
  path: text,
  variant: text.exactOptional(),
  control: text.exactOptional(),
  role: z.enum(['baseline', 'twin', 'subject']),
  environment: text,
  baseline: text,
})

const component = object({
  name: text,
  arm: text.exactOptional(),
  hop: text.exactOptional(),
  category: billCategory,
  node: z.enum(['client', 'server', 'waypoint', 'control-plane']),
  process: text.exactOptional(),
})

const billRow = object({
  component: text,
  category: z.enum([...billCategory.options, 'unaccounted', 'orchestrator']),
  layer: layer.exactOptional(),
  hop: text.exactOptional(),
  cpu: estimate,
  cpuUserShare: share.exactOptional(),
  memory: estimate.exactOptional(),
  memoryPss: estimate.exactOptional(),
  memoryPeak: estimate.exactOptional(),
  contextSwitches: estimate.exactOptional(),
  readSyscalls: estimate.exactOptional().describe('calls of the read(2) family per 1 000 requests'),
  writeSyscalls: estimate.exactOptional().describe('calls of the write(2) family per 1 000 requests'),
  cpuPerGib: estimate.exactOptional(),
  source: text.exactOptional(),
  resolutionNs: number.exactOptional(),
})

const cell = object({
  cell: text,
  experiment: text,
  arm: text,
  load,
  loadLabel: text,
  trials: object({ ok: count, invalid: count, failed: count }),
  response: record(estimate).exactOptional(),
  service: record(estimate).exactOptional(),
  curve: list(
    object({ percentile: number, ms: number, lowMs: number.exactOptional(), highMs: number.exactOptional() }),
  ).exactOptional(),
  throughput: estimate,
  knee: object({
    search: object({
      percentile: number,
      latencyMs: number,
      startPerSecond: number,
      minPerSecond: number,
      maxPerSecond: number,
      precision: share,
      maxProbes: count,
    }),
    trials: list(
      object({
        round: count,
        ratePerSecond: number,
        passed: z.boolean(),
        latencyMs: number.exactOptional(),
        unsent: count,
        errors: count,
      }),
    ),
    end: z.enum(['precise', 'probes', 'above', 'below', 'unfinished']),
    generatorLimited: z.boolean(),
  }).exactOptional(),
  cpu: estimate.exactOptional(),
  hopCpu: estimate.exactOptional(),
  hopMemory: estimate.exactOptional(),
  connect: object({
    time: record(estimate),
    firstByte: record(estimate),
    handshakesPerConnection: estimate.exactOptional(),
    resumptionsPerConnection: estimate.exactOptional(),
  }).exactOptional(),
  stream: object({ throughput: estimate, cpuPerGib: estimate.exactOptional() }).exactOptional(),
  bill: list(billRow),
  billGapShare: number.exactOptional(),
  unaccountedShare: number.exactOptional(),
  errorShare: share,
  engineLimits: list(text).exactOptional(),
})

const comparison = object({
  id: text,
  metric,
  percentile: number.exactOptional(),
  experiment: text,
  loadLabel: text,
  arm: text,
  versus: text,
  difference: estimate,
  ratio: estimate,
  verdict: z.enum(['better', 'worse', 'inconclusive']),
  pValue: number.describe('adjusted for the family of comparisons (Holm)'),
  detectable: number.describe('smallest difference that this run would have found with 80 % power'),
})

const error = object({ kind: text, message: text, detail: text.exactOptional() })
const check = object({ name: text, ok: z.boolean(), expected: text, actual: text })

const trial = object({
  index: count,
  round: count,
  cell: text,
  arm: text,
  experiment: text,
  attempt: count,
  state: z.enum(['ok', 'invalid', 'failed']),
  startedAt: text,
  ratePerSecond: number.exactOptional(),
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
  generatorCpuShare: number.exactOptional(),
  sent: count.exactOptional(),
  unsent: count.exactOptional(),
  errors: count.exactOptional(),
  reasons: list(text),
  warnings: list(text),
  error: error.exactOptional(),
  proofFailures: list(check),
})

export const analysisSchema = object({
  schema: z.literal(1),
  version: text,
  runId: text,
  startedAt: text.describe('ISO 8601, UTC'),
  endedAt: text,
  outcome: z.enum(['complete', 'precise', 'budget', 'interrupted', 'failed', 'unfinished']),
  command: list(text),
  planHash: text,
  config,
  host: object({
    hostKey: text,
    cpuModel: text,
    cpus: count,
    memoryBytes: number,
    kernel: text,
    os: text,
    arch: text,
    cgroup: text,
    node: text,
    loadAverage1m: number,
    bundles: record(text),
  }),
  facts: list(object({ name: text, value: text })),
  arms: list(arm),
  paths: list(path),
  components: list(component),
  cells: list(cell),
  comparisons: list(comparison),
  noise: list(
    object({
      environment: text,
      loadLabel: text,
      experiment: text,
      latencyP50: estimate,
      latencyP99: estimate,
      cpu: estimate.exactOptional(),
      differs: z.boolean(),
    }),
  ),
  increments: list(object({ title: text, fromArm: text, toArm: text, latencyP50: estimate, cpu: estimate })),
  claims: list(
    object({
      id: z.enum(['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8', 'C9', 'C10', 'C11', 'C12']),
      claim: text,
      verdict: z.enum(['supported', 'refuted', 'inconclusive', 'no data']),
      sentence: text,
      figures: list(object({ label: text, estimate })),
      next: text.exactOptional(),
    }),
  ),
  thresholds: list(
    object({
      threshold,
      state: z.enum(['pass', 'fail', 'inconclusive', 'no data']),
      expected: text,
      actual: estimate.exactOptional(),
      sentence: text,
    }),
  ),
  trials: list(trial),
  proofs: record(list(z.strictObject({ ...check.unwrap().shape, trials: count.exactOptional() }).readonly())),
  failures: record(error),
  rounds: object({ planned: count, done: count }),
  warnings: list(text),
})

/** Fails to compile when the schema and the model part ways. */
type Same<A, B> = A extends B ? (B extends A ? true : 'the model has more') : 'the schema has more'
export const schemaMatchesModel: Same<z.infer<typeof analysisSchema>, Analysis> = true

/** JSON Schema (draft 2020-12) of analysis.json. */
export function analysisJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(analysisSchema, {
    // Read-only is this code's promise to itself; whole numbers are bounded by what a document may say, not by it.
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return { title: 'Meshbench analysis', ...schema }
}
