/**
 * One set of limits for every mesh that Meshbench installs, so that what differs between two arms is the mesh and not
 * its packaging: vendors' defaults differ in workers, retries and limits by factors.
 */
import type { Fact } from '../../../harness/model.js'
import { hopLimits } from './hop-limits.js'

/**
 * Of every proxy and tunnel, shared or not. The CPU limit lies above what `hopLimits.workers` threads can use, so that
 * it never throttles: a throttled proxy measures its limit. Kubernetes quantities.
 */
export const proxySizing = {
  cpuRequest: '100m',
  cpuLimit: '2',
  memoryRequest: '128Mi',
  memoryLimit: '512Mi',
}

/** Of control planes: small requests, since charts' defaults (2 GiB for istiod) fill a laptop's cluster. */
export const controlPlaneRequests = { cpu: '100m', memory: '256Mi' } as const

/** The same as a container's `resources`. */
export const proxyResources = {
  requests: { cpu: proxySizing.cpuRequest, memory: proxySizing.memoryRequest },
  limits: { cpu: proxySizing.cpuLimit, memory: proxySizing.memoryLimit },
}

/**
 * The sizing table's rows of one mesh: the same for all, but for what its exceptions name, since the mesh has no value for it,
 * or none that can be made equal.
 */
export function sizingFacts(
  mesh: string,
  exceptions: Readonly<Record<string, string>> = {},
): readonly Fact[] {
  const rows: Readonly<Record<string, string>> = {
    workers: `${hopLimits.workers} per proxy and tunnel`,
    'CPU of a proxy': `request ${proxySizing.cpuRequest}, limit ${proxySizing.cpuLimit}`,
    'memory of a proxy': `request ${proxySizing.memoryRequest}, limit ${proxySizing.memoryLimit}`,
    retries: String(hopLimits.retries),
    'request timeout': 'none',
    'connect timeout': `${hopLimits.connectTimeoutMs / 1000} s`,
    'idle keep-alive': `client ${hopLimits.idleMs / 1000} s, upstream ${hopLimits.upstreamIdleMs / 1000} s`,
    'connections upstream': `at most ${hopLimits.upstreamConnections}`,
  }
  const unknown = Object.keys(exceptions).filter((setting) => !(setting in rows))
  if (unknown.length > 0) throw new Error(`no such row of the sizing table: ${unknown.join(', ')}`)
  return Object.entries({ ...rows, ...exceptions }).map(([setting, value]) => ({
    name: `sizing of ${mesh}: ${setting}`,
    value,
  }))
}
