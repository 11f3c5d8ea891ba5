/**
 * What a run writes down, one line for each thing that happened. A journal may come from another machine or a careless
 * editor, and everything after it trusts its shape.
 */
import { z } from 'zod'
import { loadResultSchema } from '../protocol/result.js'
import type { LoadSpec } from '../protocol/spec.js'
import { billCategorySchema } from './paths.js'
import { planSchema } from './plan.js'
import { trialErrorSchema } from './running/faults.js'
import { factSchema, proofCheckSchema, usageReadingSchema } from './running/readings.js'
import { componentSchema } from './running/workloads.js'
import { trialEventSchema } from './script.js'
import { amount, count, instant, list, name, number, object, record, text } from './shape.js'

/** What one component used over one window. */
export const componentUsageSchema = object({
  ...usageReadingSchema.unwrap().shape,
  component: name,
  category: billCategorySchema,
})
export interface ComponentUsage extends z.infer<typeof componentUsageSchema> {}

/** The bill of one window. `host` is not the sum of `components`: the difference is what nobody accounts for. */
export const usageSchema = object({
  windowMs: number,
  cpus: amount,
  hostBusyNs: number,
  hostSoftirqNs: number,
  hostKsoftirqdNs: number.exactOptional(),
  hostStealNs: number,
  orchestratorNs: number,
  components: list(componentUsageSchema),
})
export interface Usage extends z.infer<typeof usageSchema> {}

/** CPU of the generator as a share of what it may use: a core for each worker of each generator. */
export function generatorCpuShare(
  spec: Pick<LoadSpec, 'workers'>,
  generators: number,
  { windowMs, components }: Usage,
): number | undefined {
  const generator = components.find(({ category }) => category === 'generator')
  if (!generator || windowMs <= 0) return undefined
  return generator.cpuNs / (windowMs * 1e6) / ((spec.workers ?? 1) * generators)
}

/** One trial as the journal keeps it. Nothing is dropped: `invalid` and `failed` trials stay, with reasons. */
export const trialSchema = object({
  type: z.literal('trial'),
  index: count,
  round: count,
  cell: name,
  /** 0 for the first attempt; an invalid trial is run once more. */
  attempt: count,
  /** Rate that a search asked this trial for; other trials have that of their cell's load. */
  ratePerSecond: amount.exactOptional(),
  state: z.enum(['ok', 'invalid', 'failed']),
  startedAt: instant,
  elapsedMs: amount,
  load: loadResultSchema.exactOptional(),
  usage: usageSchema.exactOptional(),
  /** Mutual TLS handshakes that the arm’s hops began in warm-up and window; absent where no hop tells. */
  tlsHandshakes: amount.exactOptional(),
  /** Those of them that resumed a session. */
  tlsResumptions: amount.exactOptional(),
  /** What its script did, in order; absent where it has none. */
  events: list(trialEventSchema).exactOptional(),
  proof: list(proofCheckSchema),
  /** Why the trial is invalid. */
  reasons: list(text),
  /** Oddities that do not make it invalid. */
  warnings: list(text),
  error: trialErrorSchema.exactOptional(),
})
export interface Trial extends z.infer<typeof trialSchema> {}

/** Where a run was measured. Absolute figures are comparable only under an equal `hostKey`. */
export const fingerprintSchema = object({
  /** Hash over CPU model, CPU count, memory and kernel. */
  hostKey: name,
  cpuModel: text,
  cpus: count,
  memoryBytes: number,
  kernel: text,
  os: text,
  arch: text,
  cgroup: text,
  node: text,
  loadAverage1m: number,
  /** image name → SHA-256 of its bundle. */
  bundles: record(text),
  /** Variables that the run's processes inherited and that change how programs behave; absent: not recorded then. */
  environment: record(text).exactOptional(),
})
export interface Fingerprint extends z.infer<typeof fingerprintSchema> {}

/** Variables that processes of two runs inherited differently, in words; none where one did not record them. */
export function changedVariables(
  { environment: a }: Pick<Fingerprint, 'environment'>,
  { environment: b }: Pick<Fingerprint, 'environment'>,
): string[] {
  if (!a || !b) return []
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((name) => a[name] !== b[name])
    .map((name) => `${name} is ${b[name] ?? 'not set'}, was ${a[name] ?? 'not set'}`)
}

/** First line of a journal. */
export const runHeaderSchema = object({
  type: z.literal('run'),
  schema: z.literal(1),
  runId: name,
  version: name,
  startedAt: instant,
  command: list(text),
  /** Flags that shaped the plan, so that a resumed run can tell whether config and flags still make the same one. */
  flags: record(z.unknown()).exactOptional(),
  plan: planSchema,
  host: fingerprintSchema,
})
export interface RunHeader extends z.infer<typeof runHeaderSchema> {}

/** One schema for each type of line. */
export const entrySchemas = {
  run: runHeaderSchema,
  trial: trialSchema,
  environment: object({
    type: z.literal('environment'),
    environment: name,
    at: instant,
    facts: list(factSchema),
    components: list(componentSchema),
    /** arm → checks made once, when the arm came up. */
    proofs: record(list(proofCheckSchema)),
    /** arm → why it did not come up. */
    failures: record(trialErrorSchema),
    /** arm → what carries its traffic, of those that say so. */
    builds: record(text).exactOptional(),
  }),
  resume: object({ type: z.literal('resume'), at: instant, command: list(text) }),
  note: object({ type: z.literal('note'), at: instant, text }),
  end: object({
    type: z.literal('end'),
    at: instant,
    outcome: z.enum(['complete', 'precise', 'budget', 'interrupted', 'failed']),
    message: text.exactOptional(),
  }),
} as const

type EntryOf<Type extends keyof typeof entrySchemas> = z.infer<(typeof entrySchemas)[Type]>

/** Programs that an environment is put together from and that are not those of before, in words. */
export function changedPrograms(
  before: Pick<EntryOf<'environment'>, 'facts' | 'builds'>,
  now: Pick<EntryOf<'environment'>, 'facts' | 'builds'>,
): string[] {
  const programs = now.facts.flatMap(({ name, value, program }) => (program ? [[name, value] as const] : []))
  const was = new Map(before.facts.map(({ name, value }) => [name, value]))
  const ofPrograms = programs.flatMap(([name, value]) => changeOf(name, was.get(name), value))
  const ofArms = Object.entries(now.builds ?? {}).flatMap(([arm, build]) =>
    changeOf(`what carries the traffic of ${arm}`, before.builds?.[arm], build),
  )
  return [...ofPrograms, ...ofArms]
}

const changeOf = (name: string, was: string | undefined, is: string): string[] =>
  was === undefined || was === is ? [] : [`${name} is ${is}, was ${was}`]

export type JournalEntry =
  RunHeader | Trial | EntryOf<'environment'> | EntryOf<'resume'> | EntryOf<'note'> | EntryOf<'end'>
