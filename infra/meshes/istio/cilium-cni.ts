/** Cilium as the network under Istio's ambient mode, set up as Istio's documents ask for. */
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import type { Component, Downloads, Fact } from '../../../harness/model.js'
import { cilium } from '../../supply/versions.js'
import type { ChartSettings } from '../clusters/settings.js'
import { layValues, type Ground, type LaidRelease } from '../clusters/values.js'
import { bindShared } from '../cilium/hop.js'
import { ciliumOptions } from '../cilium/install.js'
import { ciliumSettings } from '../cilium/settings.js'
import { ciliumValues } from '../cilium/values.js'

const mesh = 'istio-ambient'

/**
 * Chained behind Cilium, istio-cni must not be removed by it; pods' sockets go to services by themselves, so that ztunnel sees
 * the service; and masquerading in eBPF would hide the kubelet's probes from istio-cni.
 */
const underAmbient = {
  cni: { exclusive: false },
  socketLB: { hostNamespaceOnly: true },
  bpf: { masquerade: false },
}

/** Cilium's chart as it is under Istio, with the user's values over it. */
export function ciliumUnderIstio(
  settings: Pick<ChartSettings, 'values' | 'mirrors' | 'pullSecrets'>,
  ground: Ground,
  imagesByTag: boolean,
): LaidRelease {
  const { mirrors, pullSecrets } = settings
  const own = ciliumSettings.parse({ mirrors, pullSecrets })
  const options = ciliumOptions('none', own, [], ground, imagesByTag)
  const values = { ...ciliumValues(options), ...underAmbient }
  const [release] = layValues(mesh, [{ release: 'cilium', chart: cilium.charts.cilium, values }], settings)
  if (!release) throw new Error('one chart gives one release')
  return release
}

export function bindCiliumCni(cluster: ClusterAccess): readonly Component[] {
  return bindShared(mesh, { encryption: 'none', mutualAuth: false }, cluster)
}

export const ciliumCniFact: Fact = {
  name: `${mesh} network`,
  value: `Cilium ${cilium.version} in the place of kindnet and kube-proxy, under every arm of this cluster, its baseline too`,
}

/** What is downloaded besides. */
export function withCiliumCni({ charts = [], images = [], ...rest }: Downloads): Downloads {
  const { agent, operator, envoy } = cilium.images
  return {
    ...rest,
    charts: [cilium.charts.cilium, ...charts],
    images: [agent, operator, envoy, ...images],
  }
}
