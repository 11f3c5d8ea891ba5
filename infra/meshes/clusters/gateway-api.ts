/** What meshes share of the Gateway API: CRDs that are new enough, routes, and gateways that are really programmed. */
import { CommandError } from '../../../harness/model/errors.js'
import type { Path } from '../../../harness/model.js'
import { gatewayApi, minGatewayApiVersion } from '../../supply/versions.js'
import type { ArmObjects, ClusterAccess } from '../../../harness/model/cluster-access.js'
import type { KubernetesItem } from './cluster-state.js'
import { MeshInstallError } from './install-errors.js'
import { applyFile, undoing, waitForRollout, type Step } from '../hops/steps.js'
import { manifest, type Manifest } from '../hops/yaml.js'

export const gatewayApiGroup = 'gateway.networking.k8s.io'

/** Whether requests of a path come in through a gateway. */
export function hasGateway({ hops }: Pick<Path, 'hops'>): boolean {
  return hops.some(({ role }) => role === 'ingress')
}

/**
 * Lays the pinned CRDs over whatever of them is there; before the mesh, whose controllers look for them once. Those of a
 * cluster that is somebody's stay as they are, if they are new enough.
 */
export const gatewayApiStep: Step = {
  title: `Gateway API ${gatewayApi.version}`,
  async run({ mesh, cluster, assets, undo }) {
    const installed = await checkGatewayApi(cluster, mesh)
    if (installed !== undefined && !cluster.isOwn) return
    const file = await assets.manifest(gatewayApi)
    undo('remove the Gateway API', () =>
      cluster.kubectl(['delete', '-f', file, '--ignore-not-found', '--timeout=50s'], undoing),
    )
    await applyFile(cluster, file)
  },
}

const gatewayCrd = 'gateways.gateway.networking.k8s.io'

/**
 * Version of the CRDs, if any are there. Refuses a cluster whose CRDs are too old for a gateway, or, where ours are laid over
 * them, newer than the pinned ones, which their own admission policy would not let go back.
 */
async function checkGatewayApi(cluster: ClusterAccess, mesh: string): Promise<string | undefined> {
  const version = await installedVersion(cluster)
  if (version === undefined) return undefined
  const refuse = (problem: string, hint: string) =>
    new MeshInstallError(`${mesh}: the cluster's Gateway API CRDs are ${version}, ${problem}`, {
      hint,
      detail: `crd/${gatewayCrd}: bundle-version ${version}`,
      cause: undefined,
    })
  if (compareVersions(version, minGatewayApiVersion) < 0) {
    throw refuse(
      `older than ${minGatewayApiVersion}, which gateways need`,
      'Start from a new cluster, or upgrade the CRDs if whatever else uses them allows.',
    )
  }
  if (cluster.isOwn && compareVersions(version, gatewayApi.version) > 0) {
    throw refuse(
      `newer than the pinned ${gatewayApi.version}, and they refuse to be downgraded`,
      'Start from a new cluster.',
    )
  }
  return version
}

/** From the annotation that every release carries; undefined when the CRD is not there. */
async function installedVersion(cluster: ClusterAccess): Promise<string | undefined> {
  try {
    const text = await cluster.kubectl(['get', 'crd', gatewayCrd, '-o', 'json'])
    const { metadata } = JSON.parse(text) as { metadata: { annotations?: Record<string, string> } }
    return metadata.annotations?.['gateway.networking.k8s.io/bundle-version']?.replace(/^v/, '') ?? '0.0.0'
  } catch (error) {
    if (error instanceof CommandError && /NotFound/.test(error.tail)) return undefined
    throw error
  }
}

/** Less than 0 when `a` is older; pre-releases count as their release. */
function compareVersions(a: string, b: string): number {
  const parts = (version: string) => version.split('-')[0]?.split('.').map(Number) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const gatewayTimeoutMs = 2 * 60_000
const classTimeoutMs = 60_000

export interface GatewayWait {
  /** For what a person reads. */
  readonly mesh: string
  readonly namespace: string
  /** A Gateway of an arm; waypoints are Gateways, too. */
  readonly gateway: Manifest
  /** What programs gateways of its class, and must therefore run. */
  readonly controller: string
  /** The Deployment that is made for the gateway, where it has one, and whose pods may be what holds it up. */
  readonly deployment?: string
}

/**
 * Waits until a Gateway is programmed and its own pods are ready, which the first does not promise; the error says which
 * condition holds it up.
 */
export async function waitForGateway(cluster: ClusterAccess, wait: GatewayWait): Promise<void> {
  const { mesh, namespace, gateway, controller, deployment } = wait
  const { name } = gateway.metadata
  const { gatewayClassName } = gateway.spec as { readonly gatewayClassName: string }
  await waitForCondition(cluster, 'Programmed', gatewayTimeoutMs, {
    // In full: other groups have gateways, too.
    object: [`${gatewayCrd}/${name}`, '-n', namespace],
    problem: `${mesh}: the ${name} in ${namespace} is not programmed`,
    hint: `Does ${controller} run, and does the GatewayClass ${gatewayClassName} exist?`,
    // A pod that cannot start is the commoner reason, and is explained from the pods.
    otherReason: deployment === undefined ? undefined : 'AddressNotAssigned',
  })
  if (deployment === undefined) return
  await waitForRollout(cluster, `deployment/${deployment}`, namespace, gatewayTimeoutMs)
}

/** Waits until a GatewayClass has found its controller, and its parameters are good. */
export async function waitForGatewayClass(
  cluster: ClusterAccess,
  { mesh, name, controller }: { readonly mesh: string; readonly name: string; readonly controller: string },
): Promise<void> {
  await waitForCondition(cluster, 'Accepted', classTimeoutMs, {
    object: [`gatewayclass/${name}`],
    problem: `${mesh}: the GatewayClass ${name} is not accepted`,
    hint: `Does ${controller} run, and was the Gateway API there when it started? Its log says so.`,
  })
}

interface Awaited {
  readonly object: readonly string[]
  readonly problem: string
  readonly hint: string
  /** Of a condition that is better explained by what timed out. */
  readonly otherReason?: string | undefined
}

async function waitForCondition(
  cluster: ClusterAccess,
  condition: string,
  timeoutMs: number,
  { object, problem, hint, otherReason }: Awaited,
): Promise<void> {
  try {
    const argv = ['wait', `--for=condition=${condition}`, ...object, `--timeout=${timeoutMs / 1000}s`]
    await cluster.kubectl(argv, { timeoutMs: timeoutMs + 15_000 })
  } catch (error) {
    const bad = await unmetConditions(cluster, object)
    if (bad.length === 0 || bad.some(({ reason }) => reason === otherReason)) throw error
    const said = bad.map(
      ({ type, reason, message }) => `${type} is ${reason}${message ? ` (${message})` : ''}`,
    )
    throw new MeshInstallError(`${problem}: ${said.join('; ')}`, {
      ...{ hint, detail: JSON.stringify(bad), cause: error },
    })
  }
}

async function unmetConditions(cluster: ClusterAccess, object: readonly string[]) {
  try {
    const text = await cluster.kubectl(['get', ...object, '-o', 'json'])
    const conditions = (JSON.parse(text) as KubernetesItem).status?.conditions ?? []
    return conditions.filter(({ status }) => status !== 'True')
  } catch {
    return []
  }
}

/** Requests of a parent, a Gateway or a Service, to the arm's server. Retries are no part of the standard channel. */
export function httpRoute({ namespace, service }: ArmObjects, parent: object): Manifest {
  return manifest(
    `${gatewayApiGroup}/v1`,
    'HTTPRoute',
    { name: 'server', namespace },
    {
      parentRefs: [parent],
      rules: [{ backendRefs: [{ name: service.name, port: service.port }] }],
    },
  )
}

/** A gateway's one listener, for the routes of its own namespace. */
export const httpListener = (port: number) => ({
  name: 'http',
  port,
  protocol: 'HTTP',
  allowedRoutes: { namespaces: { from: 'Same' } },
})
