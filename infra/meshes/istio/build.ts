/** Which Envoy carries an arm's traffic: Istio's own build has filters that a stock one lacks, and costs otherwise. */
import type { Build } from '../../../harness/model.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import { findPods, type PodAddress } from '../hops/queries.js'

/** The part of Envoy's `/server_info` that is used (admin.v3.ServerInfo). */
interface ServerInfo {
  readonly version: string
  readonly node?: {
    readonly extensions?: readonly { readonly name: string }[]
    readonly metadata?: { readonly ISTIO_VERSION?: string }
  }
}

/** Extensions that only Istio's build registers. */
const istiosOwn = /istio|peer_metadata|metadata_exchange/

/** `Istio's proxy 1.31.1`, or `stock Envoy 1.40`, from the text of `/server_info`; undefined where that is something else. */
export function parseBuild(text: string): Build | undefined {
  try {
    // The agent may have something to say before.
    const { version, node } = JSON.parse(text.slice(text.indexOf('{'))) as ServerInfo
    const isIstios = node?.extensions?.some(({ name }) => istiosOwn.test(name))
    if (isIstios) return { name: `Istio's proxy ${node?.metadata?.ISTIO_VERSION ?? ''}`.trim() }
    const [, minor] = /\/(\d+\.\d+)\.\d+[^/]*\//.exec(version) ?? []
    if (minor === undefined) return undefined
    return { name: `stock Envoy ${minor}`, means: "an Envoy without Istio's own filters" }
  } catch {
    return undefined
  }
}

/** What the Envoy behind an address is; undefined where it does not say, which is no reason to leave an arm out. */
export async function readBuild(
  cluster: ClusterAccess,
  { namespace, selector, nodeName }: PodAddress,
): Promise<Build | undefined> {
  const ask = ['pilot-agent', 'request', 'GET', 'server_info']
  try {
    const [pod] = await findPods(cluster, namespace, selector, nodeName)
    const exec = ['exec', '-n', namespace, pod?.name ?? '', '-c', 'istio-proxy', '--', ...ask]
    return pod && parseBuild(await cluster.kubectl(exec))
  } catch {
    return undefined
  }
}
