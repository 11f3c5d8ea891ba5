/**
 * Makes the certificate authority and the SPIFFE identities of one run, so that no key outlives it or is shared.
 *
 * Leaves are X.509-SVIDs: one URI SAN `spiffe://<trust-domain>/ns/<namespace>/sa/<service account>`, no subject that
 * matters, key usage digitalSignature, both TLS purposes
 * (https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md). Keys are ECDSA P-256, as ztunnel's.
 */
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { webcrypto } from 'node:crypto'
import type { Identity } from '../../../harness/model.js'

export { spiffeId } from './spiffe-id.js'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
// The library's types name the browser's Crypto, which Node's webcrypto implements.
x509.cryptoProvider.set(webcrypto as never)

export interface IssueOptions {
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** DNS names beside the SPIFFE id, for programs that cannot check URI SANs (X.509-SVID allows them). */
  readonly dnsNames?: readonly string[]
}

export interface Authority {
  readonly trustDomain: string
  readonly caPem: string
  /** Issues a leaf; valid for a day from five minutes ago unless told otherwise. */
  issue(spiffeId: string, options?: IssueOptions): Promise<Identity>
}

/** Creates a certificate authority that lives in memory alone. */
export async function createAuthority(options: { trustDomain: string }): Promise<Authority> {
  const { trustDomain } = options
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: `O=${trustDomain}, CN=meshbench run CA`,
    notBefore: minutesFromNow(-5),
    notAfter: minutesFromNow(48 * 60),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const caPem = ca.toString('pem')

  return {
    trustDomain,
    caPem,
    async issue(
      id,
      { notBefore = minutesFromNow(-5), notAfter = minutesFromNow(24 * 60), dnsNames = [] } = {},
    ) {
      const leafKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: randomSerial(),
        issuer: ca.subject,
        notBefore,
        notAfter,
        signingAlgorithm: algorithm,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([
            x509.ExtendedKeyUsage.serverAuth,
            x509.ExtendedKeyUsage.clientAuth,
          ]),
          // X.509-SVID §4.1: with an empty subject the SAN is critical.
          new x509.SubjectAlternativeNameExtension(
            [{ type: 'url', value: id }, ...dnsNames.map((value) => ({ type: 'dns' as const, value }))],
            true,
          ),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
        ],
      })
      const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', leafKeys.privateKey)
      return {
        spiffeId: id,
        certPem: leaf.toString('pem'),
        keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
        caPem,
      }
    },
  }
}

function minutesFromNow(minutes: number): Date {
  return new Date(Date.now() + minutes * 60_000)
}

/** A positive serial number of 126 random bits, as RFC 5280 §4.1.2.2 wants it. */
function randomSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return Buffer.from(bytes).toString('hex')
}
