/** What Istio is installed from. */
import type { Downloads, Path } from '../../../harness/model.js'
import { gatewayApi, istio } from '../../supply/versions.js'
import { withCiliumCni } from './cilium-cni.js'
import { hasGateway } from '../clusters/gateway-api.js'
import type { IstioMode } from './values.js'

export function istioDownloads(
  mode: IstioMode,
  paths: readonly Path[],
  settings: { readonly cni?: 'cilium' | undefined; readonly installed?: object | undefined } = {},
): Downloads {
  if (settings.installed) return {}
  const { base, istiod, cni, ztunnel } = istio.charts
  const { images } = istio
  if (mode === 'ambient') {
    const own = {
      manifests: [gatewayApi],
      charts: [base, istiod, cni, ztunnel],
      images: [images.pilotDistroless, images.proxyDistroless, images.cni, images.ztunnel],
    }
    return settings.cni === 'cilium' ? withCiliumCni(own) : own
  }
  return {
    // Sidecars alone need none of it.
    manifests: paths.some(hasGateway) ? [gatewayApi] : [],
    charts: [base, istiod],
    images: [images.pilot, images.proxy],
  }
}
