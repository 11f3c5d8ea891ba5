/** Opens connections to upstreams: plain, TLS, mutual TLS or CONNECT, and only to who they should be. */
import type { Dial } from '../../kit/net/waiter.js'
import type { HbonePool } from '../../kit/hbone/client.js'
import type { HopMetrics } from '../../kit/process/hop-metrics.js'
import { dialPeer } from '../../kit/tls/dial.js'
import type { IdentityStore } from '../../kit/tls/identities.js'
import { type ClusterConfig, connectSecurity } from '../shapes.js'
import type { PoolContext } from './pool.js'
import { plainReads, tlsReads } from '../../kit/net/reads.js'

/** What clusters need of the proxy. */
export interface UpstreamContext extends PoolContext {
  readonly metrics: HopMetrics
  readonly identities: IdentityStore
  /** SPIFFE id of this proxy. */
  readonly source: string | undefined
  readonly trustDomain: string
  readonly hbonePool: HbonePool | undefined
}

interface Address {
  readonly host: string
  readonly port: number
}

export function createDial(cluster: ClusterConfig, address: Address, context: UpstreamContext): Dial {
  const isConnect = connectSecurity(cluster.transport) !== undefined
  return isConnect ? dialHbone(cluster, address, context) : dialSocket(cluster, address, context)
}

function dialSocket(cluster: ClusterConfig, { host, port }: Address, context: UpstreamContext): Dial {
  const { metrics, identities, source, trustDomain, limits } = context
  const { name: destination, transport, protocol, expect } = cluster
  const isAnonymous = transport === 'tls'
  const alpn = protocol === 'h2' ? 'h2' : 'http/1.1'
  const open = { host, port, destination, metrics, timeoutMs: limits.connectTimeoutMs }
  return async (onBytes, waiter) => {
    if (transport === 'plain') return dialPeer({ ...open, waiter, reads: plainReads(onBytes) })
    const tls = {
      identity: identities.get(source as string),
      isAnonymous,
      alpn,
      trustDomain,
      expect,
    } as const
    return dialPeer({ ...open, waiter, reads: tlsReads(onBytes), tls })
  }
}

/** The pool counts the connections that it opens; a stream is none. */
function dialHbone(cluster: ClusterConfig, via: Address, context: UpstreamContext): Dial {
  const pool = context.hbonePool as HbonePool
  const { expect, transport } = cluster
  const authority = cluster.authority as string
  const destination = { authority, via, expect, security: connectSecurity(transport) }
  return async (onBytes, waiter) => {
    const stream = await pool.connect({ waiter, source: context.source as string, destination })
    stream.on('data', (bytes) => {
      onBytes(bytes, bytes.length, 'borrowed')
    })
    return stream
  }
}
