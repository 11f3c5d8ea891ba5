/** Istio without sidecars: a ztunnel on each node carries bytes over HBONE, a waypoint parses requests where asked to. */
import type { Mesh } from '../../../harness/model.js'
import { checkDownloads } from '../hops/check.js'
import { istioDownloads } from './downloads.js'
import { istioOverlays, istioSettings } from './install.js'
import { installIstio } from './session.js'

export const istioAmbient: Mesh = {
  name: 'istio-ambient',
  summary: 'Istio with ztunnel on each node, and a waypoint where L7 is wanted',
  paths: ['l4-only', 'l4-l7-l4', 'ingress'],
  livesOn: 'cluster',
  settings: istioSettings.ambient,
  downloads: (paths) => istioDownloads('ambient', paths),
  overlays: (settings, paths) => istioOverlays('ambient', settings, paths),
  manyClients: 'always',
  check: (request, on) => checkDownloads(istioAmbient, request, on),
  install: (context) => installIstio('ambient', context),
}
