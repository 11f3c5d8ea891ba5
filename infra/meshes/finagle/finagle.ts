/** Finagle's HTTP stack on a JVM as per-node proxy: what Linkerd 1.x stood on, with a real garbage collector in it. */
import type { HopCounters, Placement } from '../../../harness/model.js'
import type { BinaryNeed } from '../../supply/binaries.js'
import { hopLimits as limits, sizingFact } from '../hops/hop-limits.js'
import { createHopMesh, vendorHop, type HopSpec } from '../hops/hop-mesh.js'

const need: BinaryNeed = {
  name: 'finagle',
  variable: 'FINAGLE_BIN',
  versionArgs: ['--version'],
  version: /^finagle (.+)$/m,
  remedy:
    'name one with FINAGLE_BIN; in a checkout infra/meshes/finagle/fetch-finagle.sh builds one and prints its path, with Maven and a JDK',
  script: true,
}

export const finagleHop = vendorHop({
  need,
  protocols: ['http1'],
  facts: () => [
    sizingFact('finagle'),
    {
      name: 'finagle build',
      value:
        'Finagle’s HTTP server and client behind each other, built here; not Linkerd: no router, no name lookup, no plugins',
    },
    {
      name: 'finagle JVM',
      value:
        'heap of 32 to 1024 MiB, no tiered compilation, string deduplication, as Linkerd 1.x had them; the collector is the JVM’s own choice',
    },
    { name: 'finagle counters', value: 'requests and connections from clients alone' },
  ],
  runtime: 'jvm',
  args: ['{config}'],
  readyPath: '/ready',
  files: () => ({}),
  config: renderFinagle,
  readCounters: async (fetchAdmin) => finagleCounters(await fetchAdmin('/counters')),
})

/** `name=value` a line, the properties that FinagleProxy.java reads. Pure. */
export function renderFinagle(
  { upstream }: Pick<HopSpec, 'upstream'>,
  { bindHost, ports }: Placement,
): string {
  const values = {
    listen: `${bindHost}:${ports.downstream ?? 0}`,
    admin: `${bindHost}:${ports.admin ?? 0}`,
    upstream: `${upstream.host}:${upstream.port}`,
    workers: limits.workers,
    connectMs: limits.connectTimeoutMs,
    idleMs: limits.idleMs,
    upstreamIdleMs: limits.upstreamIdleMs,
    headerBytes: limits.headerBytes,
    connections: limits.upstreamConnections,
  }
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** Reads the proxy's own page of counters. Throws when it is not that. */
export function finagleCounters(page: string): HopCounters {
  const [, requests, downstreamConnections] = (/^requests (\d+)\nconnections (\d+)\n$/.exec(page) ?? []).map(
    Number,
  )
  if (requests === undefined || downstreamConnections === undefined)
    throw new Error(`not the counters of FinagleProxy: ${page.slice(0, 120)}`)
  return { requests, downstreamConnections }
}

export const finagle = createHopMesh({
  name: 'finagle',
  summary: 'Finagle on a JVM as per-node proxy',
  paths: ['l7-per-node'],
  l7: finagleHop,
})
