/**
 * Cilium in its modes. "Cilium" alone says little: what is encrypted, who is authenticated and how many Envoys are on
 * the way differ by mode. Encryption is a setting of the whole cluster, so each kind of it is a mesh of its own.
 */
import type { Mesh, Unmet } from '../../../harness/model.js'
import { checkDownloads } from '../hops/check.js'
import { checkKernelVersion, checkWireguard, hostKernel, type KernelSource } from './kernel.js'
import { ciliumDownloads, ciliumOverlays, meshName } from './install.js'
import { ciliumSettings } from './settings.js'
import { installCilium } from './session.js'
import type { CiliumMode } from './values.js'

export async function checkCilium(
  wireguard: boolean,
  kernel: KernelSource = hostKernel,
): Promise<readonly Unmet[]> {
  return [...checkKernelVersion(kernel), ...(wireguard ? await checkWireguard(kernel) : [])]
}

function inMode(mode: CiliumMode, summary: string, paths: readonly string[]): Mesh {
  const mesh: Mesh = {
    name: meshName(mode),
    summary,
    paths,
    // A CNI cannot be swapped under the pods of a cluster that exists.
    livesOn: 'new-cluster',
    settings: ciliumSettings,
    downloads: (measured) => ciliumDownloads(mode, measured),
    overlays: (settings, measured) => ciliumOverlays(mode, settings, measured),
    // It is the CNI and replaces kube-proxy.
    clusterNeeds: () => ({ defaultCni: false, kubeProxy: false }),
    // Its proofs look at the one endpoint that is the client.
    manyClients: 'never',
    nodeWide: ['per-node', 'ingress', 'tunnel-outbound', 'tunnel-inbound'],
    check: async (request, on) => [
      ...(await checkCilium(mode === 'wireguard')),
      ...(await checkDownloads(mesh, request, on)),
    ],
    install: (context) => installCilium(mode, context),
  }
  return mesh
}

export const cilium = inMode(
  'none',
  'Cilium without encryption: eBPF at L4, with mutual authentication or a shared Envoy where asked for',
  ['l4-kernel', 'l4-kernel-mutual-auth', 'l7-per-node', 'l7-per-node-both'],
)

export const ciliumWireguard = inMode('wireguard', 'Cilium with WireGuard between nodes', [
  'l4-kernel-wireguard',
])

export const ciliumGateway = inMode(
  'gateway',
  "Cilium with its Gateway API: requests from outside enter a node's shared Envoy",
  ['ingress-alone'],
)

export const ciliumZtunnel = inMode(
  'ztunnel',
  'Cilium with a ztunnel of its own on each node (experimental in Cilium)',
  ['l4-ztunnel'],
)
