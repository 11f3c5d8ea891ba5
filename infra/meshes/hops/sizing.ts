/**
 * One set of limits for every mesh that Meshbench installs, so that what differs between two arms is the mesh and not
 * its packaging: vendors' defaults differ in workers, retries and limits by factors.
 */
import type { Fact } from '../../../harness/model.js'
import { hopLimits } from './hop-limits.js'

/** Kubernetes quantities for one container. */
export interface ContainerSizing {
  readonly cpuRequest: string
  readonly cpuLimit: string
  readonly memoryRequest: string
  readonly memoryLimit: string
}

/**
 * Of every proxy and tunnel, shared or not. The CPU limit lies above what `hopLimits.workers` threads can use, so that
 * it never throttles: a throttled proxy measures its limit.
 */
export const proxySizing: ContainerSizing = {
  cpuRequest: '100m',
  cpuLimit: '2',
  memoryRequest: '128Mi',
  memoryLimit: '512Mi',
}

/** Of control planes: small requests, since charts' defaults (2 GiB for istiod) fill a laptop's cluster. */
export const controlPlaneRequests = { cpu: '100m', memory: '256Mi' } as const

/** As a container's `resources`. */
export function resourcesOf(sizing: ContainerSizing) {
  return {
    requests: { cpu: sizing.cpuRequest, memory: sizing.memoryRequest },
    limits: { cpu: sizing.cpuLimit, memory: sizing.memoryLimit },
  }
}

/** A setting that a mesh has no value for, or whose value cannot be made equal: said in the report, never hidden. */
export interface SizingExceptions {
  readonly [setting: string]: string
}

/** The sizing table's rows of one mesh: the same for all, but for what its exceptions name. */
export function sizingFacts(mesh: string, exceptions: SizingExceptions = {}): readonly Fact[] {
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
