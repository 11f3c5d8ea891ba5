/** Keys of an issuer, fetched from it over HTTP (RFC 7517), as `remote_jwks` of Envoy and `jwksUri` of Istio name them. */
import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { nameSchema, whole } from '../../../kit/process/config.js'
import type { Registry } from '../../../kit/process/metrics.js'
import type { Cluster } from '../../upstream/cluster.js'
import { ownRequest, subrequest } from '../../upstream/subrequest.js'

const keySchema = z.looseObject({ kty: z.enum(['RSA', 'EC']) })

/** Keys in the config, or as an issuer sends them. */
export const jwksSchema = z.strictObject({ keys: z.array(keySchema).min(1) })

/** An issuer may say more, and may have keys of other kinds. */
const fetchedSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) })

export const remoteJwksSchema = z
  .strictObject({
    cluster: nameSchema,
    path: z.string().startsWith('/').default('/.well-known/jwks.json'),
    host: z.string().min(1).optional().describe('the Host that is asked; absent: the name of the cluster'),
    timeoutMs: whole(1, 60_000).default(5000),
    cacheMs: whole(1000, 86_400_000).default(300_000).describe('keys that are older are fetched anew'),
  })
  .describe('where the keys are fetched: at the start, and again when they are old; old ones serve meanwhile')

/** There are no keys to check a token with, so that nothing can be said of the token. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

const maxBytes = 1 << 20
/** An issuer that has failed is left alone for this long, whatever the traffic. */
const afterFailureMs = 1000

/** Looks keys up in what the issuer last sent. A token that comes before the first answer waits for it. */
export function remoteKeys(
  { cluster: name, path, host = name, timeoutMs, cacheMs }: z.output<typeof remoteJwksSchema>,
  clusters: ReadonlyMap<string, Cluster>,
  registry: Registry,
): JWTVerifyGetKey {
  const help = 'Fetches of the issuer’s keys by result.'
  const results = registry.counters('meshbench_jwks_fetches_total', help, { result: ['fetched', 'failed'] })
  const cluster = clusters.get(name) as Cluster
  let keys: ReturnType<typeof createLocalJWKSet> | undefined
  let dueMs = 0
  let fetching: Promise<void> | undefined

  const fetchKeys = async (): Promise<void> => {
    try {
      const question = ownRequest('GET', path, host, ['accept', 'application/json'])
      const { status, body } = await subrequest(cluster, question, { timeoutMs, keepBytes: maxBytes })
      if (status !== 200) throw new KeysUnavailable(`the issuer answered ${status}`)
      keys = createLocalJWKSet(fetchedSchema.parse(JSON.parse(body.toString('utf8'))))
      dueMs = performance.now() + cacheMs
      results.fetched.add()
    } catch {
      dueMs = performance.now() + afterFailureMs
      results.failed.add()
    } finally {
      fetching = undefined
    }
  }
  const refresh = () => {
    if (performance.now() >= dueMs) fetching ??= fetchKeys()
  }
  refresh()

  return async (header, token) => {
    refresh()
    if (keys === undefined) await fetching
    if (keys === undefined) throw new KeysUnavailable('no keys of the issuer')
    return keys(header, token)
  }
}
