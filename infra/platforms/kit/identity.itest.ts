/** Certificates of a fresh authority, read back by another implementation than the one that made them. */
import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { createAuthority, spiffeId } from './identity.js'

test('an issued identity is an X.509-SVID of its authority', async () => {
  const authority = await createAuthority({ trustDomain: 'cluster.local' })
  const identity = await authority.issue(spiffeId('cluster.local', 'bench', 'client'))
  const leaf = new X509Certificate(identity.certPem)
  const ca = new X509Certificate(authority.caPem)
  expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/bench/sa/client')
  expect(leaf.verify(ca.publicKey)).toBe(true)
  expect(leaf.checkIssued(ca)).toBe(true)
  expect(leaf.ca).toBe(false)
  expect(ca.ca).toBe(true)
})

test('two authorities do not trust each other', async () => {
  const [own, foreign] = await Promise.all([
    createAuthority({ trustDomain: 'cluster.local' }),
    createAuthority({ trustDomain: 'cluster.local' }),
  ])
  const leaf = new X509Certificate((await own.issue('spiffe://cluster.local/ns/a/sa/b')).certPem)
  expect(leaf.verify(new X509Certificate(foreign.caPem).publicKey)).toBe(false)
})

test('validity can be chosen, so that expiry can be tested', async () => {
  const authority = await createAuthority({ trustDomain: 'cluster.local' })
  const notAfter = new Date(Date.now() - 60_000)
  const identity = await authority.issue('spiffe://cluster.local/ns/a/sa/b', { notAfter })
  expect(Date.parse(new X509Certificate(identity.certPem).validTo)).toBeLessThan(Date.now())
})
