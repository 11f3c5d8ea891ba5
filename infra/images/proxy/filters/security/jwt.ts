/** Admits requests that carry a valid token: RS256 or ES256, keys in the config or fetched from the issuer (RFC 7519, RFC 8725). */
import { createLocalJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { whole } from '../../../kit/process/config.js'
import { defineFilter } from '../../exchange/filter.js'
import { KeysUnavailable, jwksSchema, remoteJwksSchema, remoteKeys } from './remote-jwks.js'

export const jwt = defineFilter({
  schema: z
    .strictObject({
      issuer: z.string().min(1),
      audiences: z.array(z.string().min(1)).min(1),
      jwks: jwksSchema.optional(),
      remoteJwks: remoteJwksSchema.optional(),
      algorithms: z
        .array(z.enum(['RS256', 'ES256']))
        .min(1)
        .default(['RS256', 'ES256']),
      clockToleranceMs: whole(0, 300_000).default(0),
      allowMissing: z.boolean().default(false).describe('requests without a token pass, without claims'),
      forward: z.boolean().default(false).describe('leave the token on the request to the upstream'),
    })
    .refine((config) => (config.jwks === undefined) !== (config.remoteJwks === undefined), {
      error: 'either jwks or remoteJwks',
      path: ['jwks'],
    })
    .describe('JWT validation'),
  create: (config, { registry, clusters }) => {
    const results = registry.counter('meshbench_jwt_total', 'Validated tokens by result.', ['result'])
    const { jwks, remoteJwks } = config
    const keys: JWTVerifyGetKey =
      remoteJwks === undefined
        ? createLocalJWKSet(jwks ?? { keys: [] })
        : remoteKeys(remoteJwks, clusters, registry)
    const options = {
      issuer: config.issuer,
      audience: config.audiences,
      algorithms: config.algorithms,
      clockTolerance: config.clockToleranceMs / 1000,
    }
    const refuse = (result: string, error?: string) => {
      results.labels(result).add()
      // RFC 6750 §3: no error code when there was no token at all.
      const challenge = error === undefined ? 'Bearer' : `Bearer error="${error}"`
      return { status: 401, reason: `jwt-${result}`, headers: ['www-authenticate', challenge] }
    }
    return {
      request(exchange) {
        const { fields } = exchange.request
        const header = fields.join('authorization')
        const token = header === undefined ? undefined : /^bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(header)?.[1]
        if (token === undefined) {
          if (config.allowMissing && header === undefined) return undefined
          return refuse(header === undefined ? 'missing' : 'malformed')
        }
        return jwtVerify(token, keys, options).then(
          ({ payload }) => {
            results.labels('valid').add()
            exchange.claims = payload
            if (!config.forward) fields.remove('authorization')
            return undefined
          },
          (error: unknown) => {
            if (error instanceof KeysUnavailable) {
              results.labels('unchecked').add()
              return { status: 503, reason: 'jwt-no-keys' }
            }
            return refuse(error instanceof errors.JWTExpired ? 'expired' : 'invalid', 'invalid_token')
          },
        )
      },
    }
  },
})
