/** An issuer as those ask it who check its tokens: its public keys (RFC 7517 §5), and nothing else. */
import type { Decide } from './http1.js'

const jwksPath = '/.well-known/jwks.json'

export function issuer(jwks: { readonly keys: readonly unknown[] }): Decide {
  const keys = { status: 200, body: JSON.stringify(jwks), type: 'application/jwk-set+json' }
  const elsewhere = { status: 404, body: `the keys are at ${jwksPath}\n` }
  return (head) => (/^GET (\S+) /.exec(head)?.[1] === jwksPath ? keys : elsewhere)
}
