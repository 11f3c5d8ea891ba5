/** The Gateway API's part of ambient: CRDs that are new enough, and gateways that istiod has really programmed. */
import { CommandError } from '../../../harness/errors.js'
import { gatewayApi, minGatewayApiVersion } from '../../versions.js'
import type { ClusterAccess } from '../cluster-access.js'
import { MeshInstallError } from '../install-errors.js'

const gatewayCrd = 'gateways.gateway.networking.k8s.io'

/**
 * Refuses a cluster whose CRDs are too old for a waypoint, or newer than the pinned ones, which their own admission
 * policy would not let go back. A cluster without any is fine: they are installed next.
 */
export async function checkGatewayApi(cluster: ClusterAccess): Promise<void> {
  const version = await installedVersion(cluster)
  if (version === undefined) return
  const refuse = (problem: string, hint: string) =>
    new MeshInstallError(`istio-ambient: the cluster's Gateway API CRDs are ${version}, ${problem}`, {
      hint,
      detail: `crd/${gatewayCrd}: bundle-version ${version}`,
      cause: undefined,
    })
  if (compareVersions(version, minGatewayApiVersion) < 0) {
    throw refuse(
      `older than ${minGatewayApiVersion}, which waypoints need`,
      'Start from a new cluster, or upgrade the CRDs if whatever else uses them allows.',
    )
  }
  if (compareVersions(version, gatewayApi.version) > 0) {
    throw refuse(
      `newer than the pinned ${gatewayApi.version}, and they refuse to be downgraded`,
      'Start from a new cluster.',
    )
  }
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

interface GatewayStatus {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason: string
      readonly message?: string
    }[]
  }
}

const gatewayTimeoutMs = 2 * 60_000

/** A Gateway of an arm, waypoints included. */
export interface GatewayNames {
  readonly namespace: string
  readonly name: string
  /** Its GatewayClass. */
  readonly className: string
}

/** Waits until a Gateway is programmed; the error says which condition holds it up. */
export async function waitForGateway(cluster: ClusterAccess, names: GatewayNames): Promise<void> {
  const { namespace, name, className } = names
  try {
    await cluster.kubectl(
      [
        'wait',
        '--for=condition=Programmed',
        `gateway/${name}`,
        '-n',
        namespace,
        `--timeout=${gatewayTimeoutMs / 1000}s`,
      ],
      { timeoutMs: gatewayTimeoutMs + 15_000 },
    )
  } catch (error) {
    const conditions = await conditionsOf(cluster, names)
    const bad = conditions.filter(({ status }) => status !== 'True')
    // A pod that cannot start is the commoner reason, and is explained from the pods.
    if (bad.length === 0 || bad.some(({ reason }) => reason === 'AddressNotAssigned')) throw error
    throw new MeshInstallError(
      `istio-ambient: the ${name} in ${namespace} is not programmed: ${bad
        .map(({ type, reason, message }) => `${type} is ${reason}${message ? ` (${message})` : ''}`)
        .join('; ')}`,
      {
        hint: `Is istiod running with the ambient profile, and does the GatewayClass ${className} exist?`,
        detail: JSON.stringify(conditions),
        cause: error,
      },
    )
  }
}

async function conditionsOf(cluster: ClusterAccess, { namespace, name }: GatewayNames) {
  try {
    const text = await cluster.kubectl(['get', 'gateway', name, '-n', namespace, '-o', 'json'])
    return (JSON.parse(text) as GatewayStatus).status?.conditions ?? []
  } catch {
    return []
  }
}
