/** The config of the echo server, and the faults that can be injected to test a harness against known answers. */
import { z } from 'zod'
import { baseConfigShape, hostSchema, nameSchema, portSchema, whole } from '../kit/process/config.js'

const delayMsSchema = z.number().min(0).max(60_000)

const address = { name: nameSchema, host: hostSchema, port: portSchema }

const listenerSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...address,
    kind: z
      .enum(['http', 'tcp'])
      .describe(
        'http: HTTP/1.1, HTTP/2 with prior knowledge, gRPC, and framed TCP echo, told apart by their first bytes; tcp: every byte is sent back',
      ),
  }),
  z
    .strictObject({
      ...address,
      kind: z.literal('authorizer'),
      allow: z
        .strictObject({ header: z.string().min(1).toLowerCase(), value: z.string() })
        .describe('a request that carries this field with this value gets 200, any other 403'),
    })
    .describe('External authorization over HTTP/1.1: decides about requests that a proxy asks about'),
  z
    .strictObject({
      ...address,
      kind: z.literal('issuer'),
      jwks: z.strictObject({ keys: z.array(z.looseObject({ kty: z.string().min(1) })).min(1) }),
    })
    .describe('An issuer of tokens over HTTP/1.1: its keys at /.well-known/jwks.json, 404 elsewhere'),
  z
    .strictObject({
      ...address,
      kind: z.literal('rate-limiter'),
      requestsPerSecond: z
        .number()
        .min(0)
        .max(1_000_000_000)
        .describe('of one domain and descriptor, in windows of a second; 0: none'),
    })
    .describe('A rate limit service: envoy.service.ratelimit.v3 over gRPC with prior knowledge'),
])

const faultsSchema = z
  .strictObject({
    delayMs: delayMsSchema.default(0).describe('every reply waits this long; fractions count'),
    burnUs: z.number().min(0).max(1_000_000).default(0).describe('CPU time burned by every request'),
    burnEvery: whole(1, 1000)
      .default(1)
      .describe('one request in so many burns at one go what all of them are to burn'),
    slow: z
      .strictObject({
        every: whole(1).describe('one request in this many'),
        delayMs: delayMsSchema,
      })
      .optional()
      .describe('a share of requests that waits longer'),
    freeze: z
      .strictObject({
        afterRequests: whole(0).describe('the request that comes after this many starts it'),
        durationMs: whole(0, 60_000),
      })
      .optional()
      .describe('the whole process stands still once, busy, as in a collection that stops the world'),
  })
  .prefault({})
  .describe('Faults with known effects')

export const echoSchema = z.strictObject({
  ...baseConfigShape,
  listeners: z.array(listenerSchema).min(1),
  faults: faultsSchema,
})

export type EchoConfig = z.output<typeof echoSchema>
export type ListenerConfig = z.output<typeof listenerSchema>
export type FaultsConfig = z.output<typeof faultsSchema>
