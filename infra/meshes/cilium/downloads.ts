/** What Cilium is installed from: SPIRE only where an arm authenticates with it. */
import type { Downloads, Path } from '../../../harness/model.js'
import { cilium, gatewayApi } from '../../supply/versions.js'
import type { CiliumMode } from './values.js'

/** Whether an arm is measured that authenticates mutually, which SPIRE is installed for. */
export function needsSpire(paths: readonly Pick<Path, 'name'>[]): boolean {
  return paths.some(({ name }) => name === 'l4-kernel-mutual-auth')
}

export function ciliumDownloads(mode: CiliumMode, paths: readonly Path[]): Downloads {
  const { agent, operator, envoy, ztunnel, spireServer, spireAgent, spireInit } = cilium.images
  return {
    manifests: mode === 'gateway' ? [gatewayApi] : [],
    charts: [cilium.charts.cilium],
    images: [
      agent,
      operator,
      envoy,
      ...(mode === 'ztunnel' ? [ztunnel] : []),
      ...(needsSpire(paths) ? [spireServer, spireAgent, spireInit] : []),
    ],
  }
}
