/** Registry of meshes: a new mesh is one file and one line here. */
import type { Mesh } from '../../harness/model.js'
import { cilium, ciliumGateway, ciliumWireguard, ciliumZtunnel } from './cilium.js'
import { envoyProxy } from './envoy-proxy.js'
import { envoy } from './envoy.js'
import { haproxy } from './haproxy.js'
import { istioAmbient } from './istio-ambient.js'
import { istioSidecar } from './istio-sidecar.js'
import { nginx } from './nginx.js'
import { none } from './none.js'
import { reference } from './reference.js'
import { tunnelEnvoy } from './tunnel-envoy.js'

export const meshes = {
  none,
  reference,
  envoy,
  'tunnel+envoy': tunnelEnvoy,
  'envoy+proxy': envoyProxy,
  haproxy,
  nginx,
  'istio-sidecar': istioSidecar,
  'istio-ambient': istioAmbient,
  cilium,
  'cilium-wireguard': ciliumWireguard,
  'cilium-ztunnel': ciliumZtunnel,
  'cilium-gateway': ciliumGateway,
} satisfies Record<string, Mesh>

export type MeshName = keyof typeof meshes
