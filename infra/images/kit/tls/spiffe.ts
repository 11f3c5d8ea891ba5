/** SPIFFE identities in certificates: who a peer is, and whether it is whom we expect (SPIFFE X509-SVID §4–5). */
import type { PeerCertificate } from 'node:tls'

export interface SpiffeId {
  readonly id: string
  readonly trustDomain: string
  /** From a path of the form `/ns/<namespace>/sa/<service account>`, as meshes on Kubernetes use it. */
  readonly namespace?: string
  readonly serviceAccount?: string
}

const idPattern = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+)$/

/** Returns undefined for anything that is not a well-formed SPIFFE id with a path. */
export function parseSpiffeId(id: string): SpiffeId | undefined {
  const match = id.length <= 2048 ? idPattern.exec(id) : null
  if (!match) return undefined
  const names = /^\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(match[2] as string)
  return {
    id,
    trustDomain: match[1] as string,
    ...(names ? { namespace: names[1] as string, serviceAccount: names[2] as string } : {}),
  }
}

/** URI entries of a `subjectAltName` as Node prints it: comma separated, odd values as JSON strings (CVE-2021-44532). */
export function uriNames(subjectAltName: string): string[] {
  const names: string[] = []
  let rest = subjectAltName
  while (rest.length > 0) {
    const match = /^([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/.exec(rest)
    if (!match) return []
    const value = match[2] as string
    if (match[1] === 'URI') names.push(value.startsWith('"') ? (JSON.parse(value) as string) : value)
    rest = rest.slice(match[0].length)
  }
  return names
}

export type Refusal =
  'no-certificate' | 'not-a-leaf' | 'expired' | 'no-spiffe-id' | 'wrong-trust-domain' | 'unexpected-identity'

export type PeerCheck = { readonly peer: SpiffeId } | { readonly refusal: Refusal; readonly detail: string }

/**
 * Checks the identity in a certificate whose chain TLS has already verified. An X509-SVID has exactly one URI SAN.
 * `expect` empty or absent: any identity of the trust domain.
 */
export function checkCertificate(
  certificate: PeerCertificate | undefined,
  trustDomain: string,
  expect?: readonly string[],
): PeerCheck {
  if (!certificate || Object.keys(certificate).length === 0) {
    return { refusal: 'no-certificate', detail: 'the peer showed no certificate' }
  }
  // X509-SVID §5.2: only a leaf identifies a workload.
  if (certificate.ca === true) {
    return { refusal: 'not-a-leaf', detail: 'the peer showed the certificate of an authority' }
  }
  // TLS verifies a chain when it is shown; a session that is resumed shows none, and may outlive its certificate.
  if (!(Date.parse(certificate.valid_to) > Date.now())) {
    return { refusal: 'expired', detail: `the certificate was valid until ${certificate.valid_to}` }
  }
  const uris = uriNames(certificate.subjectaltname ?? '')
  const peer = uris.length === 1 ? parseSpiffeId(uris[0] as string) : undefined
  if (!peer) {
    return { refusal: 'no-spiffe-id', detail: `wanted exactly one SPIFFE URI, found ${uris.length} URIs` }
  }
  if (peer.trustDomain !== trustDomain) {
    return { refusal: 'wrong-trust-domain', detail: `${peer.id} is not of ${trustDomain}` }
  }
  if (expect && expect.length > 0 && !expect.includes(peer.id)) {
    return { refusal: 'unexpected-identity', detail: `${peer.id} is not one of ${expect.join(', ')}` }
  }
  return { peer }
}
