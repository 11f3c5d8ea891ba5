/**
 * This repository's own proxy and tunnel: the same data plane on every platform, so that topologies can be compared
 * with one implementation. It is never labelled as any other mesh.
 */
import type {
  Arm,
  BillCategory,
  Deployed,
  Endpoint,
  Hop,
  Identity,
  LegTransport,
  Mesh,
  MeshContext,
  MeshSession,
  Path,
  ProofCheck,
  RaisedArm,
  Workload,
} from '../../harness/model.js'
import { readReferenceCounters } from './reference/counters.js'
import { proxyConfig, tunnelConfig, type HopPlacement, type ReferenceSettings } from './reference/config.js'
import { namespace, serviceAuthority, trustDomain } from './reference/names.js'

export const reference: Mesh = {
  name: 'reference',
  summary: "this repository's own L7 proxy and L4 tunnel",
  paths: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'],
  platforms: ['local', 'netns', 'docker', 'kind', 'kubernetes'],
  check: async () => [],
  install: installReference,
}

/** Whose identity a hop shows: tunnels and sidecars speak for the workload beside them, others for themselves. */
const serviceAccountOf: Readonly<Record<Hop['role'], string>> = {
  'tunnel-outbound': 'client',
  'sidecar-outbound': 'client',
  waypoint: 'waypoint',
  'per-node': 'node-proxy',
  'tunnel-inbound': 'server',
  'sidecar-inbound': 'server',
}

async function installReference({ host, progress, request }: MeshContext): Promise<MeshSession> {
  const identities = await progress.step('identities', async () => {
    // The certificate library is slow to load, and most verbs make no certificate.
    const { createAuthority, spiffeId } = await import('../identity.js')
    const authority = await createAuthority({ trustDomain })
    const accounts = [...new Set(Object.values(serviceAccountOf))]
    const issued = await Promise.all(
      accounts.map((account) => authority.issue(spiffeId(trustDomain, namespace, account))),
    )
    return new Map(issued.map((identity, index) => [accounts[index] ?? '', identity]))
  })
  const settings = (request.config.meshSettings.reference ?? {}) as ReferenceSettings

  return {
    facts: [
      { name: 'reference data plane', value: 'meshbench proxy and tunnel, one worker each' },
      { name: 'reference mTLS', value: 'TLS 1.3, ECDSA P-256 SPIFFE identities, one authority per run' },
    ],
    components: [],
    raise: (arm, path) => raiseArm({ arm, path, host, identities, settings }),
  }
}

interface RaiseOptions {
  readonly arm: Arm
  readonly path: Path
  readonly host: MeshContext['host']
  readonly identities: ReadonlyMap<string, Identity>
  readonly settings: ReferenceSettings
}

/** Starts the hops from the server's end to the client's, since each needs to know where the next one listens. */
async function raiseArm({ arm, path, host, identities, settings }: RaiseOptions): Promise<RaisedArm> {
  const identityOf = (hop: Hop): Identity => {
    const identity = identities.get(serviceAccountOf[hop.role])
    if (!identity) throw new Error(`no identity for ${hop.role}`)
    return identity
  }
  const application = await host.startApplication(arm, path)
  let next = endpointOf(application, 'http')
  const deployed: Deployed[] = []
  for (const [index, hop] of [...path.hops.entries()].reverse()) {
    const before = path.hops[index - 1]
    const after = path.hops[index + 1]
    const workload = hopWorkload({
      arm,
      hop,
      identity: identityOf(hop),
      upstream: next,
      downstreamLeg: path.legs[index] ?? 'plain',
      upstreamLeg: path.legs[index + 1] ?? 'plain',
      ...(before ? { downstreamId: identityOf(before).spiffeId } : {}),
      ...(after ? { upstreamId: identityOf(after).spiffeId } : {}),
      settings,
    })
    const started = await host.deploy(workload)
    deployed.unshift(started)
    next = endpointOf(started, 'downstream')
  }
  return {
    endpoint: { ...next, authority: serviceAuthority },
    application: application.component,
    components: deployed.map(({ component }) => component),
    readCounters: async (component) => readReferenceCounters(await host.fetchAdmin(component, '/metrics')),
    prove: () => provePlaintextRefused(path, deployed, host),
  }
}

function hopWorkload(
  options: Omit<HopPlacement, 'placement'> & { arm: Arm; hop: Hop; identity: Identity },
): Workload {
  const { arm, hop, identity } = options
  const category: BillCategory = hop.layer
  return {
    component: { name: `${arm.id}/${hop.name}`, arm: arm.id, hop: hop.name, category, node: hop.node },
    program: { kind: 'image', image: hop.layer === 'l4' ? 'tunnel' : 'proxy' },
    listeners: ['downstream', 'admin'],
    files: { 'cert.pem': identity.certPem, 'key.pem': identity.keyPem, 'ca.pem': identity.caPem },
    config: (placement) =>
      hop.layer === 'l4' ? tunnelConfig({ ...options, placement }) : proxyConfig({ ...options, placement }),
  }
}

const plaintextProbe = Buffer.from(
  `GET /echo?size=1 HTTP/1.1\r\nhost: ${serviceAuthority}\r\nconnection: close\r\n\r\n`,
)

/** A listener behind an encrypted leg must not answer a plaintext request. */
async function provePlaintextRefused(
  path: Path,
  deployed: readonly Deployed[],
  host: MeshContext['host'],
): Promise<readonly ProofCheck[]> {
  const encrypted = deployed.filter((_, index) => isEncrypted(path.legs[index]))
  return Promise.all(
    encrypted.map(async (hop) => {
      const reply = await host.exchange(endpointOf(hop, 'downstream'), plaintextProbe, 1_000)
      const text = Buffer.from(reply).toString('latin1')
      // A TLS server answers plaintext with an alert (record type 21) or hangs up.
      const ok = !text.startsWith('HTTP/')
      return {
        name: `plaintext refused at ${hop.component.hop ?? hop.component.name}`,
        ok,
        expected: 'no HTTP reply on the mutual TLS port',
        actual: ok ? `${reply.length} bytes, not HTTP` : text.slice(0, 80),
      }
    }),
  )
}

function isEncrypted(leg: LegTransport | undefined): boolean {
  return leg === 'mtls' || leg === 'hbone'
}

function endpointOf(deployed: Deployed, listener: string): Endpoint {
  const endpoint = deployed.endpoints[listener]
  if (!endpoint) throw new Error(`${deployed.component.name} has no listener named ${listener}`)
  return endpoint
}
