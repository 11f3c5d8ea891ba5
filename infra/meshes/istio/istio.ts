/** The ways of running Istio: sidecars beside each pod, or a ztunnel on each node and waypoints where L7 is wanted. */
import type { EnvironmentRequest, Mesh, Platform, Unmet } from '../../../harness/model.js'
import { settingsOf as settingsOfArm } from '../../../harness/model/variants.js'
import { checkDownloads } from '../hops/check.js'
import { placeOnIstio, whyNotOnIstio } from './functions.js'
import { istioDownloads, istioOverlays, removeIstio } from './install.js'
import { checkInstalled } from './installed.js'
import { installIstio } from './session.js'
import { armSettings, istioSettings, type IstioSettings } from './settings.js'
import type { IstioMode } from './values.js'

const settingsOf = (mode: IstioMode, given: unknown): IstioSettings => istioSettings[mode].parse(given ?? {})

/** What both declare. */
function istioMesh(mode: IstioMode, own: Pick<Mesh, 'summary' | 'paths' | 'clusterNeeds'>): Mesh {
  const name = `istio-${mode}`
  const mesh: Mesh = {
    name,
    ...own,
    family: 'istio',
    livesOn: 'cluster',
    varies: [],
    variesIn: armSettings,
    whyNot: (given, path) => whyNotOnIstio(mode, given, path),
    placeOf: (given, path) => placeOnIstio(mode, given, path),
    settings: istioSettings[mode],
    downloads: (paths, given) => istioDownloads(mode, paths, settingsOf(mode, given)),
    overlays: (given, paths) => istioOverlays(mode, given, paths),
    manyClients: 'always',
    ...(mode === 'ambient' ? { nodeWide: ['tunnel-outbound', 'tunnel-inbound'] } : {}),
    check: async (request, on) => [
      ...checkInstalled(name, settingsOf(mode, request.config.meshSettings[name]).installed, on),
      ...unmetFunctions(mode, name, request),
      ...(await checkDownloads(mesh, request, on)),
    ],
    install: (context) => installIstio(mode, context),
    removeLeft: (cluster) => removeIstio(mode, cluster),
  }
  return mesh
}

/** A variant that cannot be had is left out by the plan; here it is the mesh's own settings, with what is laid over them. */
function unmetFunctions(
  mode: IstioMode,
  mesh: string,
  { config, arms, paths }: EnvironmentRequest,
): readonly Unmet[] {
  const reasons = arms
    .filter((arm) => arm.mesh === mesh)
    .flatMap((arm) => {
      const path = paths.find(({ name }) => name === arm.path)
      const why = path && whyNotOnIstio(mode, settingsOfArm(config, arm), path)
      return why === undefined ? [] : [`${arm.path}: ${why}`]
    })
  return [...new Set(reasons)].map((found) => ({
    need: `the functions that meshSettings.${mesh} ask for`,
    found,
    remedy: `leave it out of meshSettings.${mesh}, or the path out of arms.${mesh}`,
  }))
}

/** Two Envoys on the way, as HTTP proxies or, for TCP ports, as byte carriers. */
export const istioSidecar = istioMesh('sidecar', {
  summary: 'Istio with Envoy sidecars, STRICT mutual TLS',
  paths: ['l7-sidecar-to-sidecar', 'l4-sidecar-to-sidecar', 'ingress-to-sidecar'],
})

/** A network cannot be swapped under the pods of a cluster that exists. */
function checkGround(
  { cni }: Pick<IstioSettings, 'cni'>,
  { offers }: Pick<Platform, 'offers'>,
): readonly Unmet[] {
  if (cni === undefined || offers.includes('new-cluster')) return []
  return [
    {
      need: `a cluster that is made with ${cni} as its network`,
      found: 'one that is there already',
      remedy:
        'use --platform kind, or leave meshSettings.istio-ambient.cni out and say whose network it is yourself',
    },
  ]
}

const ambient = istioMesh('ambient', {
  summary: 'Istio with ztunnel on each node, and a waypoint where L7 is wanted',
  paths: ['l4-only', 'l4-l7-l4', 'ingress'],
  clusterNeeds: (_, given) => {
    const isCiliums = settingsOf('ambient', given).cni === 'cilium'
    return { defaultCni: !isCiliums, kubeProxy: !isCiliums }
  },
})

/** Without sidecars: ztunnels carry bytes over HBONE, a waypoint parses requests where asked to. */
export const istioAmbient: Mesh = {
  ...ambient,
  check: async (request, on) => [
    ...checkGround(settingsOf('ambient', request.config.meshSettings[ambient.name]), on),
    ...(await ambient.check(request, on)),
  ],
}
