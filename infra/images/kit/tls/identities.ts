/** The workloads' certificates: loaded together, checked before use, replaced as a whole when they are rotated. */
import { X509Certificate, createHash, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type SecureContext, createSecureContext } from 'node:tls'
import { ConfigError, type WorkloadConfig } from '../process/config.js'
import { parseSpiffeId, uriNames } from './spiffe.js'

/**
 * TLS 1.3 only. AES-128-GCM comes first, as ztunnel allows both AES-GCM suites and the shorter key is the cheaper one.
 * One named group keeps the handshake at one round trip (no HelloRetryRequest).
 */
export const tlsSettings = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
  ecdhCurve: 'X25519:P-256',
} as const

export function createIdentityStore(options: {
  readonly trustDomain: string
  readonly workloads: readonly WorkloadConfig[]
  /** Folder that relative file names start from. */
  readonly baseDir: string
}) {
  const { trustDomain, baseDir } = options
  const load = (workloads: readonly WorkloadConfig[]): Map<string, Identity> => {
    const problems: string[] = []
    const loaded = new Map<string, Identity>()
    for (const [i, workload] of workloads.entries()) {
      if (loaded.has(workload.spiffeId))
        problems.push(`config.workloads[${i}].spiffeId: ${workload.spiffeId} appears twice`)
      try {
        loaded.set(workload.spiffeId, loadIdentity(workload, trustDomain, baseDir))
      } catch (error) {
        problems.push(`config.workloads[${i}]: ${(error as Error).message}`)
      }
    }
    if (problems.length > 0) throw new ConfigError(problems)
    return loaded
  }
  let identities = load(options.workloads)
  const listeners: ((changed: readonly string[]) => void)[] = []
  return {
    /** Throws when the workload is not known. */
    get(spiffeId: string): Identity {
      const identity = identities.get(spiffeId)
      if (!identity) throw new Error(`no certificate for ${spiffeId}`)
      return identity
    },
    has: (spiffeId: string) => identities.has(spiffeId),
    /** Reads everything again. Throws `ConfigError` and changes nothing when any of it is bad. Returns the ids that changed. */
    reload(workloads: readonly WorkloadConfig[]): readonly string[] {
      const next = load(workloads)
      const changed: string[] = []
      for (const id of new Set([...identities.keys(), ...next.keys()])) {
        const before = identities.get(id)
        const after = next.get(id)
        // An unchanged certificate keeps its context, and with it its TLS session tickets.
        if (before && after && before.fingerprint === after.fingerprint) next.set(id, before)
        else changed.push(id)
      }
      identities = next
      if (changed.length > 0) for (const listener of listeners) listener(changed)
      return changed
    },
    /** Called after a reload that changed something. */
    onChange(listener: (changed: readonly string[]) => void): void {
      listeners.push(listener)
    },
  }
}

export type IdentityStore = ReturnType<typeof createIdentityStore>

/** One workload's certificate in the form that TLS needs it. */
function loadIdentity(workload: WorkloadConfig, trustDomain: string, baseDir: string) {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(resolve(baseDir, file))
    } catch (error) {
      throw new Error(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`, {
        cause: error,
      })
    }
  }
  const cert = read(workload.certFile)
  const key = read(workload.keyFile)
  const ca = read(workload.caFile)
  const parse = (file: string, pem: Buffer): X509Certificate => {
    try {
      return new X509Certificate(pem)
    } catch (error) {
      throw new Error(`${file} is not a PEM certificate`, { cause: error })
    }
  }
  const leaf = parse(workload.certFile, cert)
  parse(workload.caFile, ca)
  const uris = uriNames(leaf.subjectAltName ?? '')
  if (uris.length !== 1 || uris[0] !== workload.spiffeId) {
    throw new Error(
      `${workload.certFile} is for ${uris.join(', ') || 'no SPIFFE id'}, not for ${workload.spiffeId}`,
    )
  }
  if (parseSpiffeId(workload.spiffeId)?.trustDomain !== trustDomain) {
    throw new Error(`${workload.spiffeId} is not of the trust domain ${trustDomain}`)
  }
  if (!leaf.checkPrivateKey(createPrivateKey(key))) {
    throw new Error(`${workload.keyFile} is not the key of ${workload.certFile}`)
  }
  let anonymous: SecureContext | undefined
  return {
    secureContext: createSecureContext({ cert, key, ca, ...tlsSettings }),
    /** Trusts the same authorities and shows no certificate. */
    get anonymousContext(): SecureContext {
      return (anonymous ??= createSecureContext({ ca, ...tlsSettings }))
    },
    /** The same as PEM, for servers that build a context of their own. */
    pem: { cert, key, ca },
    /** Changes when the certificate, its chain or the authorities do: connections made with an older one are retired. */
    fingerprint: `${sha256(cert)} ${sha256(ca)}`,
  }
}

export type Identity = ReturnType<typeof loadIdentity>

/** Of a whole file: only its first certificate would leave out intermediates and all but one authority. */
function sha256(pem: Buffer): string {
  return createHash('sha256').update(pem).digest('hex')
}
