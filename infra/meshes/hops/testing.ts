/** What the tests of hop programs share: hop specs made of paths, and a bare host of processes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  Arm,
  CalledService,
  Deployed,
  Endpoint,
  Host,
  Identity,
  MeshContext,
  Path,
  Placement,
} from '../../../harness/model.js'
import { openScope, type OpenScope } from '../../../harness/process/scope.js'
import { imageBundle, type ImageBundles, type ImageName } from '../../images/bundles.js'
import { echoWorkload } from '../../platforms/kit/units.js'
import { fetchText } from '../../platforms/local/loopback.js'
import { loopbackPlace, startProcess, type LocalProcess } from '../../platforms/local/process.js'
import { protocolOf } from '../services/called-services.js'
import { dnsNameOf, type HopSpec } from './hop-mesh.js'
import type { HopSettings } from './settings.js'
import { namespace, serviceAuthority, trustDomain } from '../reference/names.js'
import { spiffeId } from '../../platforms/kit/spiffe-id.js'
import { testRequest } from '../../../harness/testing/request.js'

/** An identity without keys, for configs that only name files. */
export function namedIdentity(account: string): Identity {
  const id = spiffeId(trustDomain, namespace, account)
  return { spiffeId: id, certPem: `(certificate of ${dnsNameOf(id)})\n`, keyPem: '(key)\n', caPem: '(ca)\n' }
}

export function testArm(mesh: string, path: Path): Arm {
  const id = `${mesh}/${path.name}`
  return {
    id,
    mesh,
    path: path.name,
    role: 'subject',
    environment: 'local',
    baseline: 'none/baseline',
  }
}

/** Specs of all hops of a path, each at fixed addresses: `127.0.0.1:10001` is the first hop's port, 10000 the server's. */
export function hopSpecs(mesh: string, path: Path, settings: HopSettings = {}): readonly HopSpec[] {
  const accounts = path.hops.map(({ role }) => roleAccounts[role])
  const identity = (index: number) => namedIdentity(accounts[index] ?? '')
  return path.hops.map((hop, index) => ({
    arm: testArm(mesh, path),
    hop,
    identity: identity(index),
    upstream: { host: '127.0.0.1', port: index === path.hops.length - 1 ? 10_000 : 10_002 + index },
    downstreamLeg: path.legs[index] ?? 'plain',
    upstreamLeg: path.legs[index + 1] ?? 'plain',
    ...(index > 0 ? { before: identity(index - 1) } : {}),
    ...(index < path.hops.length - 1 ? { after: identity(index + 1) } : {}),
    authority: serviceAuthority,
    builds: {},
    settings,
    services: Object.fromEntries(
      Object.keys(settings.proxy?.services ?? {}).map((name, order) => [
        name,
        { host: '127.0.0.1', port: 12_001 + order, protocol: protocolOf(name as CalledService) },
      ]),
    ),
  }))
}

const roleAccounts = {
  'tunnel-outbound': 'client',
  'sidecar-outbound': 'client',
  waypoint: 'waypoint',
  ingress: 'gateway',
  'per-node': 'node-proxy',
  'tunnel-inbound': 'server',
  'sidecar-inbound': 'server',
} as const

export function testPlacement(index = 0, folder = '/run/meshbench'): Placement {
  return {
    bindHost: '127.0.0.1',
    ports: { downstream: 10_001 + index, admin: 11_001 + index },
    file: (name) => `${folder}/${name}`,
  }
}

export interface TestHost {
  readonly host: Host
  readonly scope: OpenScope
  readonly context: MeshContext
  /** Ends a component that was started. */
  stop(component: string): Promise<void>
  close(): Promise<void>
}

/** A host of processes with the images that a test needs, and nothing that it does not. */
export async function openTestHost(images: readonly ImageName[], meshSettings = {}): Promise<TestHost> {
  const stateDir = await mkdtemp(join(tmpdir(), 'meshbench-hops-'))
  const scope = openScope({ runId: `test-${process.pid}`, stateDir, signal: new AbortController().signal })
  const root = join(import.meta.dirname, '../../images')
  const built = await Promise.all(images.map((image) => imageBundle(image, root, join(stateDir, 'bundles'))))
  const bundles = Object.fromEntries(built.map((bundle) => [bundle.image, bundle])) as ImageBundles
  const running = new Map<string, LocalProcess>()
  const deploy: Host['deploy'] = async (workload) => {
    const started = await startProcess({ workload, bundles, scope, place: loopbackPlace })
    running.set(started.component.name, started)
    return started
  }
  let application: Promise<Deployed> | undefined
  const host = {
    facts: [],
    startApplication: () => (application ??= deploy(echoWorkload)),
    deploy,
    connect: ({ host: address, port }: Endpoint) => connect(port, address),
    fetchAdmin: (component: string, path: string) => {
      const admin = running.get(component)?.endpoints.admin
      if (!admin) throw new Error(`no component named ${component}`)
      return fetchText(admin, path)
    },
  } as unknown as Host
  const context = {
    request: testRequest({ config: { meshSettings } }),
    host,
    scope,
    progress: { step: <T>(_title: string, run: () => Promise<T>) => run(), note: () => {} },
  }
  return {
    host,
    scope,
    context,
    stop: async (component) => running.get(component)?.change({ do: 'stop' }),
    async close() {
      const problems = await scope.close()
      await rm(stateDir, { recursive: true, force: true })
      if (problems.length > 0) throw new Error(problems.join('; '))
    },
  }
}
