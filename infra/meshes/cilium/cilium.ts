/**
 * Cilium in its modes. "Cilium" alone says little: what is encrypted, who is authenticated and how many Envoys are on
 * the way differ by mode. Encryption is a setting of the whole cluster, so each kind of it is a mesh of its own.
 */
import type { Mesh, Unmet } from '../../../harness/model.js'
import { checkDownloads } from '../hops/check.js'
import { checkKernelVersion, checkWireguard, hostKernel, type KernelSource } from './kernel.js'
import { installCilium } from './session.js'

/** A CNI cannot be swapped under the pods of a cluster that exists. */
const livesOn = 'new-cluster'

/** Needs of one mode. */
export async function checkCilium(
  wireguard: boolean,
  kernel: KernelSource = hostKernel,
): Promise<readonly Unmet[]> {
  return [...checkKernelVersion(kernel), ...(wireguard ? await checkWireguard(kernel) : [])]
}

export const cilium: Mesh = {
  name: 'cilium',
  summary:
    'Cilium without encryption: eBPF at L4, with mutual authentication or a shared Envoy where asked for',
  paths: ['l4-kernel', 'l4-kernel-mutual-auth', 'l7-per-node', 'l7-per-node-both'],
  livesOn,
  check: async (request) => [...(await checkCilium(false)), ...(await checkDownloads(request, 'cilium'))],
  install: (context) => installCilium('none', context),
}

export const ciliumWireguard: Mesh = {
  name: 'cilium-wireguard',
  summary: 'Cilium with WireGuard between nodes',
  paths: ['l4-kernel-wireguard'],
  livesOn,
  check: async (request) => [
    ...(await checkCilium(true)),
    ...(await checkDownloads(request, 'cilium-wireguard')),
  ],
  install: (context) => installCilium('wireguard', context),
}

export const ciliumGateway: Mesh = {
  name: 'cilium-gateway',
  summary: "Cilium with its Gateway API: requests from outside enter a node's shared Envoy",
  paths: ['ingress-alone'],
  livesOn,
  check: async (request) => [
    ...(await checkCilium(false)),
    ...(await checkDownloads(request, 'cilium-gateway')),
  ],
  install: (context) => installCilium('gateway', context),
}

export const ciliumZtunnel: Mesh = {
  name: 'cilium-ztunnel',
  summary: 'Cilium with a ztunnel of its own on each node (experimental in Cilium)',
  paths: ['l4-ztunnel'],
  livesOn,
  check: async (request) => [
    ...(await checkCilium(false)),
    ...(await checkDownloads(request, 'cilium-ztunnel')),
  ],
  install: (context) => installCilium('ztunnel', context),
}
