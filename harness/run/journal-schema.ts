/**
 * What a journal's lines must look like: a journal may come from another machine or a careless editor, and everything
 * after it trusts its shape. Fields that are not named here are kept as they are.
 */
import { z } from 'zod'

const count = z.number().min(0)
const name = z.string().min(1)
const histogram = z.looseObject({
  unit: z.literal('us'),
  encoding: z.literal('hdr-v2-deflate-base64'),
  data: z.string(),
  count,
})
const error = z.looseObject({ kind: name, message: z.string(), detail: z.string().optional() })
const check = z.looseObject({ name, ok: z.boolean(), expected: z.string(), actual: z.string() })
const fact = z.looseObject({ name, value: z.string() })
const category = z.enum(['generator', 'application', 'l4', 'l7', 'control-plane', 'platform'])

const load = z.looseObject({
  engine: name,
  sent: count,
  ok: count,
  errors: z.record(z.string(), count),
  unsent: count,
  windowMs: count,
  achievedRatePerSecond: count,
  connectionsOpened: count,
  warmupSent: count,
  uncounted: count.optional(),
  bodyBytes: count,
  generatorCpuUs: count,
  response: histogram.optional(),
  service: histogram.optional(),
  sendLag: histogram.optional(),
  connect: histogram.optional(),
  firstByte: histogram.optional(),
})

const usage = z.looseObject({
  windowMs: z.number(),
  cpus: count,
  hostBusyNs: z.number(),
  hostSoftirqNs: z.number(),
  hostStealNs: z.number(),
  orchestratorNs: z.number(),
  components: z.array(
    z.looseObject({ component: name, category, cpuNs: z.number(), source: z.string(), resolutionNs: count }),
  ),
})

const trial = z.looseObject({
  type: z.literal('trial'),
  index: z.int().min(0),
  round: z.int().min(0),
  cell: name,
  attempt: z.int().min(0),
  ratePerSecond: count.optional(),
  state: z.enum(['ok', 'invalid', 'failed']),
  startedAt: z.iso.datetime(),
  elapsedMs: count,
  load: load.optional(),
  usage: usage.optional(),
  tlsHandshakes: count.optional(),
  tlsResumptions: count.optional(),
  proof: z.array(check),
  reasons: z.array(z.string()),
  warnings: z.array(z.string()),
  error: error.optional(),
})

const plan = z.looseObject({
  schema: z.literal(1),
  hash: name,
  config: z.looseObject({
    seed: z.number(),
    platform: name,
    rounds: z.looseObject({ min: z.number(), max: z.number() }),
  }),
  arms: z.array(
    z.looseObject({
      id: name,
      mesh: name,
      path: name,
      role: z.enum(['baseline', 'twin', 'subject']),
      environment: name,
      baseline: name,
    }),
  ),
  paths: z.array(
    z.looseObject({ name, label: name, hops: z.array(z.looseObject({ name })), legs: z.array(z.string()) }),
  ),
  cells: z.array(
    z.looseObject({
      id: name,
      experiment: name,
      arm: name,
      loadLabel: name,
      load: z.looseObject({ engine: name }),
    }),
  ),
  order: z.array(z.looseObject({ index: z.int(), round: z.int(), cell: name })),
})

const run = z.looseObject({
  type: z.literal('run'),
  schema: z.literal(1),
  runId: name,
  version: name,
  startedAt: z.iso.datetime(),
  command: z.array(z.string()),
  plan,
  host: z.looseObject({ hostKey: name, cpus: count, bundles: z.record(z.string(), z.string()) }),
})

const environment = z.looseObject({
  type: z.literal('environment'),
  environment: name,
  at: z.iso.datetime(),
  facts: z.array(fact),
  components: z.array(z.looseObject({ name, category, node: name })),
  proofs: z.record(z.string(), z.array(check)),
  failures: z.record(z.string(), error),
})

/** One schema for each type of line. */
export const entrySchemas = {
  run,
  trial,
  environment,
  resume: z.looseObject({ type: z.literal('resume'), at: z.iso.datetime(), command: z.array(z.string()) }),
  note: z.looseObject({ type: z.literal('note'), at: z.iso.datetime(), text: z.string() }),
  end: z.looseObject({
    type: z.literal('end'),
    at: z.iso.datetime(),
    outcome: z.enum(['complete', 'precise', 'budget', 'interrupted', 'failed']),
    message: z.string().optional(),
  }),
} as const

/** The first problem of a line as `path: value: what is wrong`; undefined when there is none. */
export function findEntryProblem(type: keyof typeof entrySchemas, value: unknown): string | undefined {
  const checked = entrySchemas[type].safeParse(value, { reportInput: true })
  if (checked.success) return undefined
  const [issue] = checked.error.issues
  if (!issue) return 'malformed'
  const shown = JSON.stringify(issue.input) as string | undefined
  return `${issue.path.map(String).join('.') || 'entry'}: ${(shown ?? 'nothing').slice(0, 60)}: ${issue.message}`
}
