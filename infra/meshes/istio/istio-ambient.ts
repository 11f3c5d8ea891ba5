/** Istio without sidecars: a ztunnel on each node carries bytes over HBONE, a waypoint parses requests where asked to. */
import type { Mesh, Platform, Unmet } from '../../../harness/model.js'
import { checkDownloads } from '../hops/check.js'
import { istioDownloads } from './downloads.js'
import { istioOverlays } from './install.js'
import { istioSettings } from './settings.js'
import { checkInstalled } from './installed.js'
import { installIstio } from './session.js'

const settingsOf = (given: unknown) => istioSettings.ambient.parse(given ?? {})

/** A network cannot be swapped under the pods of a cluster that exists. */
function checkGround(
  { cni }: ReturnType<typeof settingsOf>,
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

export const istioAmbient: Mesh = {
  name: 'istio-ambient',
  summary: 'Istio with ztunnel on each node, and a waypoint where L7 is wanted',
  family: 'istio',
  paths: ['l4-only', 'l4-l7-l4', 'ingress'],
  livesOn: 'cluster',
  settings: istioSettings.ambient,
  downloads: (paths, settings) => istioDownloads('ambient', paths, settingsOf(settings)),
  clusterNeeds: (_, settings) => {
    const isCiliums = settingsOf(settings).cni === 'cilium'
    return { defaultCni: !isCiliums, kubeProxy: !isCiliums }
  },
  overlays: (settings, paths) => istioOverlays('ambient', settings, paths),
  manyClients: 'always',
  check: async (request, on) => [
    ...checkGround(settingsOf(request.config.meshSettings['istio-ambient']), on),
    ...checkInstalled(
      'istio-ambient',
      settingsOf(request.config.meshSettings['istio-ambient']).installed,
      on,
    ),
    ...(await checkDownloads(istioAmbient, request, on)),
  ],
  install: (context) => installIstio('ambient', context),
}
