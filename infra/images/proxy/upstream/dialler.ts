/** Opens connections to upstreams: plain, TLS, mutual TLS or CONNECT, and only to who they should be. */
import { connect } from 'node:net'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { Waiter } from '../../kit/net/waiter.js'
import type { HbonePool } from '../../kit/hbone/client.js'
import type { HopMetrics } from '../../kit/process/hop-metrics.js'
import { dialPeer } from '../../kit/tls/dial.js'
import type { IdentityStore } from '../../kit/tls/identities.js'
import { type ClusterConfig, connectSecurity } from '../shapes.js'
import type { Http1Upstream } from './http1-upstream.js'
import type { PoolContext } from './pool.js'
import { type OnBytes, plainReads, tlsReads } from '../../kit/net/reads.js'

/** Opens streams to one endpoint. Plain TCP answers at once; TLS and HBONE first have to check who answers. */
export interface Dialler {
  /** For HTTP/1.1: attaches the stream to the connection, now or later; calls `failed` when there will be none. */
  dialHttp1(connection: Http1Upstream, connected: () => void, failed: () => void): 'now' | 'later'
  /** For HTTP/2. The memory of what is read may be used again when `onBytes` returns. */
  readonly dial: Open
}

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

/** Opens a stream, whose bytes are handed over as they come. Given up, and rejected, when the waiter leaves. */
type Open = (onBytes: OnBytes, waiter: Waiter) => Promise<ByteStream>

export function createDialler(cluster: ClusterConfig, address: Address, context: UpstreamContext): Dialler {
  switch (cluster.transport) {
    case 'plain':
      return plainDialler(cluster, address, context)
    case 'tls':
    case 'mtls':
      return diallerOf(openSocket(cluster, address, context))
    case 'connect':
    case 'connect-tls':
    case 'hbone':
      return diallerOf(openHbone(cluster, address, context))
  }
}

/** Of what first has to check who answers. */
function diallerOf(open: Open): Dialler {
  return {
    dialHttp1(connection, connected, failed) {
      const waiter = new Waiter()
      connection.abandon = () => {
        waiter.leave()
      }
      const onBytes: OnBytes = (buffer, length, lease) => {
        connection.onBytes(buffer, length, lease)
      }
      open(onBytes, waiter).then((stream) => {
        connection.attach(stream)
        connected()
      }, failed)
      return 'later'
    },
    dial: open,
  }
}

function plainDialler(cluster: ClusterConfig, { host, port }: Address, context: UpstreamContext): Dialler {
  const { metrics, limits } = context
  const opened = metrics.upstreamConnections.labels(cluster.name)
  return {
    ...diallerOf(openSocket(cluster, { host, port }, context)),
    // Written to before it is connected: there is nobody to check.
    dialHttp1(connection, connected) {
      const reads = plainReads((buffer, length, lease) => {
        connection.onBytes(buffer, length, lease)
      })
      const socket = connect({ host, port, noDelay: true, onread: reads })
      const timer = setTimeout(() => {
        socket.destroy(new Error(`not connected within ${limits.connectTimeoutMs} ms`))
      }, limits.connectTimeoutMs)
      socket.once('close', () => {
        clearTimeout(timer)
        reads.release()
      })
      socket.once('connect', () => {
        clearTimeout(timer)
        opened.add()
        connected()
      })
      connection.attach(socket)
      return 'now'
    },
  }
}

function openSocket(cluster: ClusterConfig, { host, port }: Address, context: UpstreamContext): Open {
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
function openHbone(cluster: ClusterConfig, via: Address, context: UpstreamContext): Open {
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
