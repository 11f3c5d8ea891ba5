/** Registry of meshes: a new mesh is one file and one line here. */
import type { Mesh } from '../../harness/model.js'
import { cilium, ciliumGateway, ciliumWireguard, ciliumZtunnel } from './cilium/cilium.js'
import { envoy, envoyProxy, tunnelEnvoy } from './envoy/envoy.js'
import { finagle } from './finagle/finagle.js'
import { haproxy } from './haproxy/haproxy.js'
import { istioAmbient, istioSidecar } from './istio/istio.js'
import { ebpf } from './kernel/ebpf.js'
import { nftables } from './kernel/nftables.js'
import { nginx } from './nginx/nginx.js'
import { none } from './reference/none.js'
import { reference } from './reference/reference.js'

export const meshes = {
  none,
  reference,
  envoy,
  'tunnel+envoy': tunnelEnvoy,
  'envoy+proxy': envoyProxy,
  haproxy,
  nginx,
  finagle,
  nftables,
  ebpf,
  'istio-sidecar': istioSidecar,
  'istio-ambient': istioAmbient,
  cilium,
  'cilium-wireguard': ciliumWireguard,
  'cilium-ztunnel': ciliumZtunnel,
  'cilium-gateway': ciliumGateway,
} satisfies Record<string, Mesh>

export type MeshName = keyof typeof meshes
