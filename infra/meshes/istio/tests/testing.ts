/** Istio against transcripts: what a cluster answers, command by command, to who installs it. */
import { meshContext, testArm, transcript, type InstallOptions } from '../../clusters/testing.js'
import { transcriptCluster, type TranscriptCluster } from '../../testdata/transcript-cluster.js'
import { istioAmbient, istioSidecar } from '../istio.js'

/** What a mesh is given for one arm. */
export const contextOn = (
  cluster: TranscriptCluster,
  mesh = istioAmbient,
  options: InstallOptions = {},
  path = 'l4-l7-l4',
) => meshContext(cluster, mesh.name, [testArm(mesh.name, path)], options)

export const install = (name: string, mesh = istioAmbient, path = 'l4-l7-l4') => {
  const cluster = transcriptCluster(transcript(name))
  return { cluster, arm: testArm(mesh.name, path), session: mesh.install(contextOn(cluster, mesh, {}, path)) }
}

/** What is said while a gateway of the Gateway API comes up in front of the server. */
export const gatewayComesUp = [
  '$ kubectl apply --server-side -f -',
  '$ kubectl wait --for=condition=Programmed gateways.gateway.networking.k8s.io/gateway *',
  '$ kubectl rollout status deployment/gateway-istio *\ndeployment "gateway-istio" successfully rolled out',
  '$ kubectl get service server *\n10.96.0.10',
  '$ kubectl get service gateway-istio *\n10.96.0.20',
  '',
].join('\n')

/** A path from a gateway to a sidecar. */
export const gatewayArm = testArm('istio-sidecar', 'ingress-to-sidecar')
export const installWithGateway = () =>
  install('istio-sidecar-gateway-install', istioSidecar, gatewayArm.path)
