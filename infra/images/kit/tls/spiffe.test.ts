/** SPIFFE ids as certificates carry them, and names that try to pass for one. */
import type { PeerCertificate } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { checkCertificate, parseSpiffeId, uriNames } from './spiffe.js'

describe('parseSpiffeId', () => {
  it('reads trust domain, namespace and service account', () => {
    expect(parseSpiffeId('spiffe://bench.local/ns/shop/sa/cart')).toEqual({
      id: 'spiffe://bench.local/ns/shop/sa/cart',
      trustDomain: 'bench.local',
      namespace: 'shop',
      serviceAccount: 'cart',
    })
  })
  it.each([
    'https://bench.local/ns/a/sa/b',
    'spiffe://bench.local',
    'spiffe://bench.local/',
    'spiffe://Bench.local/a',
    'spiffe://bench.local/a/../b',
    'spiffe://bench.local//a',
    'spiffe://bench.local/a?b',
    'spiffe://bench.local/a#b',
    'spiffe://user@bench.local/a',
    'spiffe://bench.local:80/a',
    `spiffe://bench.local/${'a'.repeat(2048)}`,
  ])('refuses %s', (id) => {
    expect(parseSpiffeId(id)).toBeUndefined()
  })
})

describe('uriNames', () => {
  it('reads URIs among other names', () => {
    expect(uriNames('DNS:a.example, URI:spiffe://x/y, IP Address:10.0.0.1')).toEqual(['spiffe://x/y'])
  })
  it('is not fooled by a name that holds a comma (CVE-2021-44532)', () => {
    expect(uriNames('DNS:"a, URI:spiffe://bench.local/admin"')).toEqual([])
    expect(uriNames('URI:"spiffe://x/y, URI:spiffe://bench.local/admin"')).toEqual([
      'spiffe://x/y, URI:spiffe://bench.local/admin',
    ])
  })
  it('reads nothing from what it does not understand', () => {
    expect(uriNames('URI:spiffe://x/y, broken')).toEqual([])
  })
})

describe('checkCertificate', () => {
  const certificate = (subjectaltname?: string, more = {}): PeerCertificate =>
    ({
      subjectaltname,
      raw: Buffer.of(1),
      valid_to: new Date(Date.now() + 60_000).toUTCString(),
      ...more,
    }) as never
  const id = 'spiffe://bench.local/ns/a/sa/b'
  it('accepts an id of the trust domain, and only an expected one', () => {
    expect(checkCertificate(certificate(`URI:${id}`), 'bench.local')).toMatchObject({ peer: { id } })
    expect(checkCertificate(certificate(`URI:${id}`), 'bench.local', [id])).toMatchObject({ peer: { id } })
    expect(checkCertificate(certificate(`URI:${id}`), 'bench.local', [`${id}x`])).toMatchObject({
      refusal: 'unexpected-identity',
    })
  })
  it.each([
    ['no-certificate', {} as PeerCertificate],
    ['not-a-leaf', certificate(`URI:${id}`, { ca: true })],
    ['expired', certificate(`URI:${id}`, { valid_to: new Date(Date.now() - 1000).toUTCString() })],
    ['expired', certificate(`URI:${id}`, { valid_to: 'no date' })],
    ['no-spiffe-id', certificate()],
    ['no-spiffe-id', certificate('DNS:bench.local')],
    ['no-spiffe-id', certificate(`URI:${id}, URI:${id}`)],
    ['wrong-trust-domain', certificate('URI:spiffe://evil.local/ns/a/sa/b')],
    ['wrong-trust-domain', certificate('URI:spiffe://bench.local.evil/ns/a/sa/b')],
  ])('refuses with %s', (refusal, shown) => {
    expect(checkCertificate(shown, 'bench.local')).toMatchObject({ refusal })
  })
})
