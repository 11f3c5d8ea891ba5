/** The config pieces that the images share, and how a bad config is told: one line per problem, with field, value and remedy. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'

export const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max)

export const hostSchema = z.string().min(1).max(253).describe('IP address or host name')
export const portSchema = whole(0, 65535).describe('TCP port; 0 lets the program choose when it listens')
export const addressSchema = z.strictObject({ host: hostSchema, port: portSchema })
export const durationMsSchema = whole(0, 86_400_000)
export const nameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/i, 'letters, digits, ".", "_" and "-", at most 63 characters')

/** https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md §2: trust domain and path, no query or fragment. */
const trustDomainSchema = z
  .string()
  .regex(/^[a-z0-9._-]{1,255}$/, 'a SPIFFE trust domain: lower-case letters, digits, ".", "_" and "-"')
export const spiffeIdSchema = z
  .string()
  .max(2048)
  .regex(
    /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/,
    'a SPIFFE id such as spiffe://bench.local/ns/default/sa/client',
  )

/** "host:port", as in the :authority of a CONNECT request. */
export const authoritySchema = z
  .string()
  .max(260)
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, '"host:port"')

export const workloadSchema = z
  .strictObject({
    spiffeId: spiffeIdSchema,
    certFile: z.string().min(1).describe('PEM certificate chain, leaf first'),
    keyFile: z.string().min(1).describe('PEM private key'),
    caFile: z.string().min(1).describe('PEM bundle of trusted roots'),
  })
  .describe('One identity that this program may act as')

/** HBONE is CONNECT over mutual TLS; the other forms are what its parts are measured against. */
export const securitySchema = z
  .enum(['plain', 'tls', 'mtls'])
  .describe(
    'plain: CONNECT in plain text; tls: the server alone shows a certificate; mtls: both do, as HBONE demands',
  )
export type Security = z.infer<typeof securitySchema>

export const poolSchema = z
  .strictObject({
    maxStreamsPerConnection: whole(1, 100_000)
      .default(100)
      .describe('streams after which another connection is opened'),
    multiplex: z.boolean().default(true).describe('false: one TLS connection per TCP connection'),
    resume: z
      .boolean()
      .default(false)
      .describe(
        'a new TLS connection resumes the session of an earlier one to the same peer (RFC 8446 §2.2)',
      ),
    idleMs: durationMsSchema.default(300_000).describe('an unused connection is closed after this'),
    connectTimeoutMs: durationMsSchema.default(10_000).describe('TCP and TLS handshake together'),
  })
  .prefault({})
  .describe('Pool of HBONE connections, keyed by source identity and destination')

export const hboneLimitsSchema = z
  .strictObject({
    connections: whole(1).default(20_000).describe('per listener; more are closed at once'),
    streamsPerConnection: whole(1, 1_000_000).default(200).describe('SETTINGS_MAX_CONCURRENT_STREAMS'),
    handshakeTimeoutMs: durationMsSchema.default(10_000),
    headerBytes: whole(256, 1_048_576).default(16_384).describe('of one header block, decoded'),
    headerCount: whole(8, 10_000).default(100),
    continuationFrames: whole(0, 1000).default(8).describe('CONTINUATION frames of one header block'),
    resetsPerSecond: whole(1).default(200).describe('streams that a peer may reset per second (rapid reset)'),
    controlFramesPerSecond: whole(10)
      .default(5000)
      .describe('PING, SETTINGS, PRIORITY and empty DATA frames per second'),
    streamWindowBytes: whole(65_535, 1 << 24)
      .default(1_048_576)
      .describe('flow-control window of one stream: bounds what a slow reader makes us hold'),
    connectTimeoutMs: durationMsSchema.default(10_000).describe('of connections to an upstream'),
    idleMs: durationMsSchema.default(3_600_000).describe('a connection without streams is closed after this'),
  })
  .prefault({})

/** Fields that every server image has. Spread it: `z.strictObject({ ...baseConfigShape, listeners: … })`. */
export const baseConfigShape = {
  $schema: z.string().optional().describe('for editors; ignored'),
  admin: addressSchema.describe('Plain HTTP: /metrics, /healthz/ready, /config'),
  trustDomain: trustDomainSchema.default('cluster.local'),
  drainMs: durationMsSchema.default(10_000).describe('how long SIGTERM waits for what is in flight'),
  workers: whole(1, 256).default(1).describe('processes that share the listeners'),
  workloads: z.array(workloadSchema).default([]),
}

export type BaseConfig = z.output<z.ZodObject<typeof baseConfigShape>>
export type WorkloadConfig = z.output<typeof workloadSchema>
export type PoolConfig = z.output<typeof poolSchema>
export type HboneLimits = z.output<typeof hboneLimitsSchema>

/** A config that cannot be used. `problems` has one line per fault. */
export class ConfigError extends Error {
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Validates a value. Throws `ConfigError` with every problem at once. */
export function parseConfig<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ConfigError(parsed.error.issues.flatMap((issue) => describeIssue(issue, value)))
}

/** Reads and validates a config file. Throws `ConfigError`. */
export function loadConfig<T>(schema: z.ZodType<T>, file: string): { config: T; baseDir: string } {
  const path = resolve(file)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError([
      `${path}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    ])
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ConfigError([`${path}: is not JSON: ${(error as Error).message}`])
  }
  return { config: parseConfig(schema, value), baseDir: dirname(path) }
}

function describeIssue(issue: z.core.$ZodIssue, root: unknown): string[] {
  // A union reports what each member disliked; the member that went furthest is the one that was meant.
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const depth = (issues: z.core.$ZodIssue[]): number => Math.max(...issues.map(({ path }) => path.length))
    const best = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0] as z.core.$ZodIssue[]
    return best.flatMap((inner) => describeIssue({ ...inner, path: [...issue.path, ...inner.path] }, root))
  }
  const field = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
  const value = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    root,
  )
  const text = value === undefined ? 'missing' : JSON.stringify(value)
  const shown = text.length > 120 ? `${text.slice(0, 117)}…` : text
  const message =
    issue.code === 'unrecognized_keys' ? `unknown field ${issue.keys.join(', ')}` : issue.message
  return [`config${field}: ${message} (value: ${shown})`]
}

const secretKeys = /^(key|privateKey|secret|password|token)$/i

/** A copy of a config without secrets, for `/config`. File names stay: only contents are secret. */
export function redact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redact)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, secretKeys.test(key) ? '[redacted]' : redact(inner)]),
  )
}
