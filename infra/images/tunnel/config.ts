/** What a tunnel's config file may say. The JSON Schema beside this file is generated from it. */
import { isIP } from 'node:net'
import { z } from 'zod'
import {
  ConfigError,
  addressSchema,
  authoritySchema,
  baseConfigShape,
  hboneLimitsSchema,
  hostSchema,
  nameSchema,
  poolSchema,
  portSchema,
  securitySchema,
  spiffeIdSchema,
  whole,
} from '../kit/process/config.js'

const listenShape = {
  name: nameSchema,
  host: hostSchema,
  port: portSchema,
  fd: whole(3)
    .optional()
    .describe(
      'descriptor of a listening socket that the tunnel is started with, in the place of host and port',
    ),
}

const captureSchema = z
  .strictObject({
    kind: z.literal('capture'),
    ...listenShape,
    source: spiffeIdSchema.describe('workload whose identity the connections get'),
    baggage: z
      .record(z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/), z.string().regex(/^[!#-+\--:<-[\]-~]*$/))
      .optional()
      .describe('W3C baggage of the CONNECT request; absent: namespace and service account of the source'),
    destination: z.strictObject({
      authority: authoritySchema.describe(':authority of the CONNECT request'),
      via: addressSchema.describe("the peer hop's HBONE listener"),
      serverName: hostSchema
        .optional()
        .describe(
          'TLS server name; absent, as with ztunnel: none is sent. Picks the workload of a shared listener',
        ),
      expect: z
        .array(spiffeIdSchema)
        .default([])
        .describe('ids that the peer may have; empty: any of the trust domain'),
      security: securitySchema.default('mtls'),
    }),
  })
  .describe('Accepts plain TCP and carries it over HBONE')

/** Throws for anything that is not an IP address or `address/bits`. */
export function parseCidr(block: string): { network: string; bits: number; family: 'ipv4' | 'ipv6' } {
  const [network = '', suffix] = block.split('/')
  const version = isIP(network)
  const widest = version === 6 ? 128 : 32
  const bits = suffix === undefined ? widest : /^\d{1,3}$/.test(suffix) ? Number(suffix) : NaN
  if (version === 0 || !(bits <= widest)) throw new Error(`${block} is not an IP address or CIDR block`)
  return { network, bits, family: version === 6 ? 'ipv6' : 'ipv4' }
}

const cidrSchema = z.string().refine((block) => {
  try {
    return Boolean(parseCidr(block))
  } catch {
    return false
  }
}, 'an IP address or CIDR block')

const ruleSchema = z
  .strictObject({
    action: z.enum(['allow', 'deny']).default('allow'),
    principals: z.array(z.string().min(1)).optional().describe('SPIFFE ids; "*" at the end matches any rest'),
    namespaces: z.array(z.string().min(1)).optional(),
    addresses: z.array(cidrSchema).optional().describe("CIDR blocks of the peer hop's address"),
    ports: z.array(whole(1, 65535)).optional().describe('ports of the :authority'),
  })
  .describe('Matches when every field that it has matches')

const routeSchema = z.strictObject({
  authority: authoritySchema,
  workload: spiffeIdSchema.describe('workload that answers for this authority'),
  to: z
    .union([addressSchema, z.array(addressSchema).min(1).max(64)])
    .describe('the upstream, plain TCP, or several, among which connections are spread'),
  balance: z
    .enum(['round-robin', 'least-connections'])
    .default('round-robin')
    .describe('which of several upstreams a connection goes to'),
  allow: z
    .array(ruleSchema)
    .optional()
    .describe(
      'absent: everybody of the trust domain; else deny rules win, and one allow rule must match if there is any',
    ),
})

const hboneSchema = z
  .strictObject({
    kind: z.literal('hbone'),
    ...listenShape,
    security: securitySchema.default('mtls'),
    routes: z.array(routeSchema).min(1),
  })
  .describe('Terminates HBONE and connects to the upstream')

export const tunnelSchema = z.strictObject({
  ...baseConfigShape,
  pool: poolSchema,
  limits: hboneLimitsSchema,
  connectionMetrics: z
    .boolean()
    .default(false)
    .describe('bytes, connections and how long they stood, by the identities at their ends'),
  listeners: z.array(z.discriminatedUnion('kind', [captureSchema, hboneSchema])).min(1),
})

export type TunnelConfig = z.output<typeof tunnelSchema>
export type ListenerConfig = TunnelConfig['listeners'][number]
export type CaptureConfig = z.output<typeof captureSchema>
export type HboneListenerConfig = z.output<typeof hboneSchema>
export type RouteConfig = z.output<typeof routeSchema>
export type RuleConfig = z.output<typeof ruleSchema>

/** What the schema cannot say: references and uniqueness. Throws `ConfigError`. */
export function verifyTunnel(config: TunnelConfig): void {
  const problems: string[] = []
  const known = new Set(config.workloads.map(({ spiffeId }) => spiffeId))
  const names = new Set(['admin'])
  for (const [i, listener] of config.listeners.entries()) {
    const at = `config.listeners[${i}]`
    if (names.has(listener.name)) problems.push(`${at}.name: ${listener.name} is taken`)
    names.add(listener.name)
    const used =
      listener.kind === 'capture'
        ? [{ field: 'source', id: listener.source }]
        : listener.routes.map(({ workload }, j) => ({ field: `routes[${j}].workload`, id: workload }))
    for (const { field, id } of used) {
      if (!known.has(id)) problems.push(`${at}.${field}: ${id} is not one of config.workloads`)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
}
