/**
 * Reads containers' usage from the kubelets, where nodes themselves are out of reach.
 *
 * The kubelet takes a sample about every ten seconds (kubernetes, pkg/kubelet/cadvisor), so this is a fallback whose
 * resolution is stated and not hidden: windows have to be much longer.
 */
import type { UsageReading } from '../../../../harness/model.js'
import { parsePrometheus } from '../../../../harness/process/prometheus.js'
import { ApiError, type ApiProxy } from '../api/api-proxy.js'
import type { ContainerRef, UsageSource } from './components.js'
import { defined } from '../../../../harness/model/defined.js'

/** Longest age of a sample. */
const resolutionNs = 15e9

export function usageFromKubelets(proxy: Pick<ApiProxy, 'get'>): UsageSource {
  return async (containers) => {
    const readings = new Map<string, UsageReading>()
    await Promise.all(
      [...new Set(containers.map(({ nodeName }) => nodeName))].map(async (node) => {
        const text = await proxy.get(`/api/v1/nodes/${node}/proxy/metrics/resource`).catch(unlessRefused)
        const onNode = containers.filter(({ nodeName }) => nodeName === node)
        for (const [id, reading] of parseResourceMetrics(text, onNode)) readings.set(id, reading)
      }),
    )
    return readings
  }
}

/** Nothing is read of a kubelet that does not answer; whoever may not ask at all is told so. */
function unlessRefused(error: unknown): string {
  if (error instanceof ApiError && error.status < 500) throw error
  return ''
}

export function parseResourceMetrics(
  text: string,
  containers: readonly ContainerRef[],
): ReadonlyMap<string, UsageReading> {
  const samples = parsePrometheus(text)
  const find = (name: string, ref: ContainerRef) =>
    samples.find(
      (sample) =>
        sample.name === name &&
        sample.labels.namespace === ref.namespace &&
        sample.labels.pod === ref.pod &&
        sample.labels.container === ref.container,
    )?.value
  const readings = new Map<string, UsageReading>()
  for (const ref of containers) {
    const cpuSeconds = find('container_cpu_usage_seconds_total', ref)
    if (cpuSeconds === undefined) continue
    const memory = find('container_memory_working_set_bytes', ref)
    readings.set(ref.id, {
      cpuNs: cpuSeconds * 1e9,
      ...defined({ rssBytes: memory }),
      source: 'kubelet',
      resolutionNs,
    })
  }
  return readings
}
