/** Opens connections to upstreams: plain, TLS, mutual TLS or CONNECT, and only to who they should be. */
import { connect as connectPlain } from 'node:net'
import { type TLSSocket, connect as connectTls } from 'node:tls'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { Waiter } from '../../kit/net/waiter.js'
import type { HbonePool } from '../../kit/hbone/client.js'
import type { HopMetrics } from '../../kit/process/hop-metrics.js'
import { type IdentityStore, tlsSettings } from '../../kit/tls/identities.js'
import { checkPeer } from '../../kit/tls/spiffe.js'
import { type ClusterConfig, connectSecurity } from '../shapes.js'
import type { Http1Upstream } from './http1-upstream.js'
import { type ReusedReads, plainReads, tlsReads } from '../../kit/net/reads.js'

/** Opens streams to one endpoint. Plain TCP answers at once; TLS and HBONE first have to check who answers. */
export interface Dialler {
  /** For HTTP/1.1: attaches the stream to the connection, now or later; calls `failed` when there will be none. */
  dialHttp1(connection: Http1Upstream, connected: () => void, failed: () => void): 'now' | 'later'
  /**
   * For HTTP/2. The memory of what is read may be used again when `onBytes` returns. It is given up, and rejects, when
   * the waiter leaves.
   */
  dial(onBytes: (bytes: Buffer) => void, waiter: Waiter): Promise<ByteStream>
}

export interface DiallerContext {
  readonly metrics: HopMetrics
  readonly identities: IdentityStore
  /** SPIFFE id of this proxy. */
  readonly source: string | undefined
  readonly trustDomain: string
  readonly hbonePool: HbonePool | undefined
  readonly connectTimeoutMs: number
}

export function createDialler(
  cluster: ClusterConfig,
  endpoint: { readonly host: string; readonly port: number },
  context: DiallerContext,
): Dialler {
  switch (cluster.transport) {
    case 'plain':
      return plainDialler(cluster, endpoint, context)
    case 'tls':
    case 'mtls':
      return tlsDialler(cluster, endpoint, context)
    case 'connect':
    case 'connect-tls':
    case 'hbone':
      return hboneDialler(cluster, endpoint, context)
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

function plainDialler(cluster: ClusterConfig, { host, port }: Address, context: DiallerContext): Dialler {
  const opened = context.metrics.upstreamConnections.labels(cluster.name)
  return {
    dialHttp1(connection, connected) {
      const reads = plainReads((buffer, length, lease) => {
        connection.onBytes(buffer, length, lease)
      })
      const socket = connectPlain({ host, port, noDelay: true, onread: reads })
      socket.once('close', reads.release)
      limitConnect(socket, context.connectTimeoutMs)
      socket.once('connect', () => {
        opened.add()
        connected()
      })
      connection.attach(socket)
      return 'now'
    },
    dial: async (onBytes, waiter) =>
      new Promise((resolve, reject) => {
        const reads = plainReads(handOver(onBytes))
        const socket = connectPlain({ host, port, noDelay: true, onread: reads })
        socket.once('close', reads.release)
        limitConnect(socket, context.connectTimeoutMs)
        socket.once('error', reject)
        waiter.onLeave = () => socket.destroy(new Error('nobody waits for it'))
        socket.once('connect', () => {
          socket.off('error', reject)
          waiter.onLeave = undefined
          opened.add()
          resolve(socket)
        })
      }),
  }
}

const handOver =
  (onBytes: (bytes: Buffer) => void) =>
  (buffer: Buffer, length: number): void => {
    onBytes(buffer.subarray(0, length))
  }

/** A socket that is not connected in time is destroyed with an error. */
function limitConnect(
  socket: {
    setTimeout(ms: number, f?: () => void): unknown
    destroy(e: Error): unknown
    once(event: string, f: () => void): unknown
  },
  timeoutMs: number,
): void {
  const timer = setTimeout(() => {
    socket.destroy(new Error(`not connected within ${timeoutMs} ms`))
  }, timeoutMs)
  const stop = (): void => {
    clearTimeout(timer)
  }
  socket.once('connect', stop)
  socket.once('secureConnect', stop)
  socket.once('close', stop)
}

function tlsOptions(cluster: ClusterConfig, { host, port }: Address, context: DiallerContext) {
  const identity = context.identities.get(context.source as string)
  return {
    host,
    port,
    secureContext: cluster.transport === 'tls' ? identity.anonymousContext : identity.secureContext,
    ALPNProtocols: [cluster.protocol === 'h2' ? 'h2' : 'http/1.1'],
    minVersion: tlsSettings.minVersion,
    maxVersion: tlsSettings.maxVersion,
    rejectUnauthorized: true,
    // Names are SPIFFE ids and are checked by who dials.
    checkServerIdentity: () => undefined,
  }
}

function tlsDialler(cluster: ClusterConfig, address: Address, context: DiallerContext): Dialler {
  const { metrics, trustDomain, connectTimeoutMs } = context
  const opened = metrics.upstreamConnections.labels(cluster.name)
  const connect = (
    reads: ReusedReads,
    done: (socket: TLSSocket) => void,
    failed: (error: Error) => void,
  ): (() => void) => {
    const options = { ...tlsOptions(cluster, address, context), onread: reads }
    const socket = connectTls(options)
    socket.once('close', reads.release)
    socket.setNoDelay(true)
    limitConnect(socket, connectTimeoutMs)
    let isDone = false
    const fail = (reason: string, error: Error): void => {
      if (isDone) return
      isDone = true
      metrics.tlsHandshakeFailures.labels('client', reason).add()
      socket.destroy()
      failed(error)
    }
    socket.once('connect', () => {
      opened.add()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      fail(error.code ?? 'error', error)
    })
    socket.once('close', () => {
      fail('closed', new Error('closed before the handshake was over'))
    })
    socket.once('secureConnect', () => {
      const check = checkPeer(socket, trustDomain, cluster.expect)
      if ('refusal' in check) {
        fail(check.refusal, new Error(check.detail))
      } else if (cluster.protocol === 'h2' && socket.alpnProtocol !== 'h2') {
        fail('alpn', new Error('the peer does not speak h2'))
      } else if (!isDone) {
        isDone = true
        metrics.tlsHandshakes.labels('client', check.peer.id).add()
        done(socket)
      }
    })
    return () => {
      isDone = true
      socket.destroy()
    }
  }
  return {
    dialHttp1(connection, connected, failed) {
      connection.abandon = connect(
        tlsReads((buffer, length, lease) => {
          connection.onBytes(buffer, length, lease)
        }),
        (socket) => {
          connection.attach(socket)
          connected()
        },
        failed,
      )
      return 'later'
    },
    dial: async (onBytes, waiter) =>
      new Promise((resolve, reject) => {
        const settle = (socket: TLSSocket): void => {
          waiter.onLeave = undefined
          resolve(socket)
        }
        const abandon = connect(tlsReads(handOver(onBytes)), settle, reject)
        waiter.onLeave = () => {
          abandon()
          reject(new Error('nobody waits for it'))
        }
      }),
  }
}

function hboneDialler(cluster: ClusterConfig, via: Address, context: DiallerContext): Dialler {
  const pool = context.hbonePool as HbonePool
  // The pool counts the connections that it opens; a stream is none.
  const connect = async (waiter: Waiter): Promise<ByteStream> =>
    pool.connect({
      waiter,
      source: context.source as string,
      destination: {
        ...{ authority: cluster.authority as string, via, expect: cluster.expect },
        security: connectSecurity(cluster.transport),
      },
    })
  return {
    dialHttp1(connection: Http1Upstream, connected, failed) {
      const waiter = new Waiter()
      connection.abandon = () => {
        waiter.leave()
      }
      connect(waiter).then((stream) => {
        connection.attach(stream)
        stream.on('data', (bytes) => {
          connection.onBytes(bytes, bytes.length, 'borrowed')
        })
        connected()
      }, failed)
      return 'later'
    },
    async dial(onBytes, waiter) {
      const stream = await connect(waiter)
      stream.on('data', onBytes)
      return stream
    },
  }
}
