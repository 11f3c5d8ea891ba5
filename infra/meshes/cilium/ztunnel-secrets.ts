/**
 * Makes the keys that Cilium's own ztunnel mode wants to find in a secret before it is installed: one pair for the
 * connection between ztunnel and the agent, one authority for workloads. RSA, as upstream's script makes them.
 * https://docs.cilium.io/en/stable/security/network/encryption-ztunnel/
 */
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { webcrypto } from 'node:crypto'
import type { Manifest } from '../hops/yaml.js'

const algorithm = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
} as const

/** The secret `cilium-ztunnel-secrets`, with keys that live as long as the cluster. */
export async function ztunnelSecrets(): Promise<Manifest> {
  const [bootstrap, authority] = await Promise.all([
    selfSigned([
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
    ]),
    selfSigned([
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.keyCertSign,
        true,
      ),
    ]),
  ])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'cilium-ztunnel-secrets', namespace: 'kube-system' },
    type: 'Opaque',
    stringData: {
      'bootstrap-private.key': bootstrap.keyPem,
      'bootstrap-root.crt': bootstrap.certPem,
      'ca-private.key': authority.keyPem,
      'ca-root.crt': authority.certPem,
    },
  }
}

async function selfSigned(extensions: x509.Extension[]): Promise<{ certPem: string; keyPem: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex'),
      name: 'O=cluster.local',
      notBefore: new Date(Date.now() - 5 * 60_000),
      notAfter: new Date(Date.now() + 7 * 24 * 3_600_000),
      signingAlgorithm: algorithm,
      keys,
      extensions: [...extensions, await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)],
    },
    webcrypto,
  )
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  return { certPem: certificate.toString('pem'), keyPem: x509.PemConverter.encode(key, 'PRIVATE KEY') }
}
