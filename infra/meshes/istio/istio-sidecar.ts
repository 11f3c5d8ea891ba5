/** Istio with a sidecar beside each pod: two Envoys on the way, as HTTP proxies or, for TCP ports, as byte carriers. */
import type { Mesh } from '../../../harness/model.js'
import { checkDownloads } from '../hops/check.js'
import { istioDownloads } from './downloads.js'
import { istioOverlays } from './install.js'
import { istioSettings } from './settings.js'
import { checkInstalled } from './installed.js'
import { installIstio } from './session.js'

const settingsOf = (given: unknown) => istioSettings.sidecar.parse(given ?? {})

export const istioSidecar: Mesh = {
  name: 'istio-sidecar',
  summary: 'Istio with Envoy sidecars, STRICT mutual TLS',
  family: 'istio',
  paths: ['l7-sidecar-to-sidecar', 'l4-sidecar-to-sidecar', 'ingress-to-sidecar'],
  livesOn: 'cluster',
  settings: istioSettings.sidecar,
  downloads: (paths, settings) => istioDownloads('sidecar', paths, settingsOf(settings)),
  overlays: (settings, paths) => istioOverlays('sidecar', settings, paths),
  manyClients: 'always',
  check: async (request, on) => [
    ...checkInstalled(
      'istio-sidecar',
      settingsOf(request.config.meshSettings['istio-sidecar']).installed,
      on,
    ),
    ...(await checkDownloads(istioSidecar, request, on)),
  ],
  install: (context) => installIstio('sidecar', context),
}
