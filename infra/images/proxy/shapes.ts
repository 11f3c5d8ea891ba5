/** The parts of a config that stand by themselves: listeners, clusters, routes and limits. */
import { z } from 'zod'
import {
  authoritySchema,
  durationMsSchema,
  hboneLimitsSchema,
  hostSchema,
  nameSchema,
  portSchema,
  spiffeIdSchema,
  type Security,
  whole,
} from '../kit/process/config.js'

const transportSchema = z
  .enum(['plain', 'tls', 'mtls', 'connect', 'connect-tls', 'hbone'])
  .describe(
    'tls: the server alone shows a certificate; hbone: CONNECT over mtls; connect and connect-tls: CONNECT over the others',
  )
export type Transport = z.infer<typeof transportSchema>

/** Of a transport that carries HTTP in CONNECT streams: what is below them; undefined of all others. */
export function connectSecurity(transport: Transport): Security | undefined {
  return securities[transport]
}

const securities: Readonly<Partial<Record<Transport, Security>>> = {
  ...{ connect: 'plain', 'connect-tls': 'tls', hbone: 'mtls' },
}

export const listenerSchema = z.strictObject({
  name: nameSchema,
  host: hostSchema,
  port: portSchema,
  transport: transportSchema,
  expect: z
    .array(spiffeIdSchema)
    .default([])
    .describe('ids that a client may have; empty: any of the trust domain (mtls and hbone)'),
  authorities: z
    .array(authoritySchema)
    .default([])
    .describe('targets of CONNECT that are served; empty: any (hbone)'),
  clientCert: z
    .enum(['set', 'keep', 'drop'])
    .default('set')
    .describe(
      "x-forwarded-client-cert: set it to the client's proven identity and drop what the client claims (with nothing proven: drop), keep what a trusted hop says, or drop it",
    ),
})

export const clusterSchema = z.strictObject({
  name: nameSchema,
  endpoints: z
    .array(
      z.strictObject({
        host: hostSchema,
        port: portSchema,
        locality: z.string().min(1).max(63).optional(),
        weight: whole(1, 1000).default(1),
      }),
    )
    .min(1),
  transport: transportSchema,
  protocol: z
    .enum(['http1', 'h2', 'client'])
    .default('http1')
    .describe(
      'client: the protocol that the client of a request speaks, so that gRPC passes and HTTP/1.1 does',
    ),
  expect: z.array(spiffeIdSchema).default([]).describe('ids that the peer may have (mtls and hbone)'),
  authority: authoritySchema.optional().describe(':authority of the CONNECT request (hbone)'),
})

const matchSchema = z
  .strictObject({
    prefix: z.string().startsWith('/').optional(),
    path: z.string().startsWith('/').optional().describe('the whole path, without the query'),
    hosts: z
      .array(z.string().min(1))
      .optional()
      .describe('without port; "*.example.org" matches any label before it'),
    methods: z.array(z.string().min(1)).optional(),
    headers: z
      .array(
        z.strictObject({
          name: z.string().min(1).toLowerCase(),
          value: z.string().optional().describe('absent: the header has to be there'),
        }),
      )
      .optional(),
  })
  .prefault({})
  .describe('Every field that is there has to match')

export const routeSchema = z
  .strictObject({
    match: matchSchema,
    cluster: nameSchema.optional(),
    split: z
      .array(z.strictObject({ cluster: nameSchema, weight: whole(0, 10_000) }))
      .min(1)
      .optional()
      .describe('instead of `cluster`: shares of the traffic, exact over each period of the sum of weights'),
    prefixRewrite: z.string().startsWith('/').optional().describe('replaces match.prefix'),
    hostRewrite: z.string().min(1).optional(),
  })
  .refine((route) => (route.cluster === undefined) !== (route.split === undefined), 'either cluster or split')

export const limitsSchema = z
  .strictObject({
    connections: whole(1).default(20_000).describe('per listener; more are closed at once'),
    headBytes: whole(256, 1_048_576).default(32_768),
    headerCount: whole(4, 10_000).default(100),
    targetBytes: whole(16, 65_536).default(8192),
    bufferBytes: whole(0, 16_777_216)
      .default(65_536)
      .describe('of a request body that is kept: while an upstream is awaited, for a retry or for a mirror'),
    headTimeoutMs: durationMsSchema.default(10_000).describe('for a whole request head'),
    bodyIdleMs: durationMsSchema.default(30_000).describe('between two parts of a request body'),
    sendIdleMs: durationMsSchema
      .default(300_000)
      .describe('a client that takes nothing of its answer for this long is cut off'),
    idleMs: durationMsSchema.default(3_600_000).describe('between two requests of a connection'),
    halfCloseMs: durationMsSchema
      .default(1000)
      .describe(
        'a client that has ended its half (FIN) while nothing comes for it to read is taken for gone after this',
      ),
    upstreamIdleMs: durationMsSchema
      .default(600_000)
      .describe('a kept upstream connection is closed after this'),
    connectTimeoutMs: durationMsSchema.default(5000).describe('TCP and TLS handshake together'),
    streamsPerConnection: whole(1, 10_000).default(100).describe('HTTP/2'),
    resetsPerSecond: whole(1).default(100).describe('HTTP/2 streams that a client may reset (rapid reset)'),
    hbone: hboneLimitsSchema,
  })
  .prefault({})

export type ProxyListenerConfig = z.output<typeof listenerSchema>
export type ClusterConfig = z.output<typeof clusterSchema>
export type ProxyRouteConfig = z.output<typeof routeSchema>
export type ProxyLimits = z.output<typeof limitsSchema>
