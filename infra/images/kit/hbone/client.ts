/** HBONE connections to peers, pooled by source identity and destination, so that streams share handshakes. */
import type { Socket } from 'node:net'
import type { ListenerAddress } from '../net/address.js'
import type { ByteStream } from '../net/byte-stream.js'
import { type OnBytes, tlsReads } from '../net/reads.js'
import { Waiter } from '../net/waiter.js'
import type { HboneLimits, PoolConfig } from '../process/config.js'
import { errorCode } from '../h2/frames.js'
import { type HboneDestination, HboneError, hboneAlpn } from './hbone.js'
import { ClientPool, type ClientPoolOptions } from '../h2/client-pool.js'
import type { H2Connection } from '../h2/connection.js'
import { DialError, type TlsSession, dialPeer } from '../tls/dial.js'
import { StreamResetError } from '../h2/stream.js'
import { HboneStream } from './stream.js'
import type { HopMetrics } from '../process/hop-metrics.js'
import type { Cell } from '../process/metrics.js'
import { blockWriter } from '../h2/hpack.js'
import type { IdentityStore } from '../tls/identities.js'

export interface HboneRequest {
  /** SPIFFE id of the workload on whose behalf the stream is opened. */
  readonly source: string
  readonly destination: HboneDestination
  /** `baggage`, `forwarded`, `traceparent`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Who waits for the stream. When it leaves, so does what is under way for it alone: dial, handshake, CONNECT. */
  readonly waiter?: Waiter
}

/** Who wants to open a stream. */
interface Seeker {
  readonly isOver: boolean
  onConnection(connection: H2Connection): void
  onFailure(error: Error): void
}

/** The connections of one source identity to one peer. */
class PeerPool extends ClientPool<Seeker> {
  readonly source: string
  readonly #via: ListenerAddress

  constructor({ source, destination }: HboneRequest, options: ClientPoolOptions) {
    super(options)
    this.source = source
    this.#via = destination.via
  }

  protected override serve(seeker: Seeker, connection: H2Connection): void {
    seeker.onConnection(connection)
  }

  protected override fail(seeker: Seeker, error: unknown): void {
    const { host, port } = this.#via
    const useless = `${host}:${port} takes connections and no streams on them`
    seeker.onFailure(error instanceof HboneError ? error : new HboneError('no-streams', useless))
  }
}

/** A stream that failed for a reason which another connection may not share is tried again this often. */
const retries = 2

export interface HbonePoolOptions {
  readonly identities: IdentityStore
  readonly metrics: HopMetrics
  readonly trustDomain: string
  readonly pool: PoolConfig
  readonly limits: HboneLimits
}

/** How often overdue and idle connections are looked for. */
const sweepMs = 1000

export class HbonePool {
  readonly #options: HbonePoolOptions
  #pool: PoolConfig
  /** By source identity and destination. */
  readonly #pools = new Map<string, PeerPool>()
  /** The latest TLS session by key, and by the certificate that it was made with: another one needs a full handshake. */
  readonly #sessions = new Map<string, TlsSession>()
  readonly #streams: Cell
  readonly #gauge: Cell
  readonly #sweep: NodeJS.Timeout

  constructor(options: HbonePoolOptions) {
    this.#options = options
    this.#pool = options.pool
    this.#streams = options.metrics.hboneStreams.labels('outbound')
    this.#gauge = options.metrics.hboneConnections.labels('client')
    options.identities.onChange((changed) => {
      this.#sessions.clear()
      for (const pool of this.#pools.values()) if (changed.includes(pool.source)) pool.renew()
    })
    this.#sweep = setInterval(() => {
      for (const pool of this.#pools.values()) pool.onTick(performance.now())
    }, sweepMs).unref()
  }

  /** Opens a stream. Rejects with `HboneError`, also for a waiter that has left. */
  async connect(request: HboneRequest): Promise<ByteStream> {
    const { destination, headers = {}, waiter = new Waiter() } = request
    const { authority } = destination
    const fields = [':method', 'CONNECT', ':authority', authority, ...Object.entries(headers).flat()]
    const pool = this.#poolOf(request)
    for (let attempt = 0; ; attempt += 1) {
      try {
        const stream = await this.#openStream(pool, fields, waiter)
        this.#streams.add()
        if (!waiter.isGone) return stream
        stream.destroy()
        throw gone()
      } catch (error) {
        // Nothing of the stream was used yet, so a connection that went away meanwhile costs only another try.
        const isFinal = !(error instanceof StreamResetError) || error.h2Code === errorCode.connect
        if (isFinal || attempt >= retries) throw asHboneError(error, authority)
      }
    }
  }

  /** Changes limits for connections from now on. None that stands is shared with who is to have one of its own. */
  configure(next: PoolConfig): void {
    if (next.multiplex !== this.#pool.multiplex) this.retire()
    this.#pool = next
    if (!next.resume) this.#sessions.clear()
  }

  /** Retires connections: each closes with its last stream. Streams may still be opened, on new ones. */
  retire(): void {
    for (const pool of this.#pools.values()) pool.renew()
  }

  close(): void {
    clearInterval(this.#sweep)
    for (const pool of this.#pools.values()) pool.close()
  }

  #poolOf(request: HboneRequest): PeerPool {
    const { source, destination } = request
    const { via, serverName = '', expect, security = 'mtls' } = destination
    const key = `${source} ${via.host}:${via.port} ${serverName} ${expect.join()} ${security}`
    const known = this.#pools.get(key)
    if (known !== undefined) return known
    const pool = new PeerPool(request, {
      dial: (onBytes, waiter) => this.#dialPeer(key, request, waiter, onBytes),
      limits: this.#options.limits,
      settings: () => {
        const { multiplex, maxStreamsPerConnection, idleMs, connectTimeoutMs } = this.#pool
        const maxStreams = multiplex ? maxStreamsPerConnection : 1
        return { maxStreams, isForOneStream: !multiplex, idleMs, connectTimeoutMs }
      },
      onCount: (change) => {
        this.#gauge.add(change)
      },
    })
    this.#pools.set(key, pool)
    return pool
  }

  #openStream(pool: PeerPool, fields: readonly string[], waiter: Waiter): Promise<HboneStream> {
    return new Promise((resolve, reject) => {
      const seeker: Seeker = {
        get isOver() {
          return waiter.isGone
        },
        onConnection: (connection) => {
          resolve(openStream(connection, fields, this.#pool.connectTimeoutMs, waiter))
        },
        onFailure: reject,
      }
      if (waiter.isGone) {
        reject(gone())
        return
      }
      waiter.onLeave = () => {
        pool.forget(seeker)
        reject(gone())
      }
      const connection = pool.find()
      if (connection === undefined) pool.wait(seeker)
      else seeker.onConnection(connection)
    })
  }

  /**
   * Mutual TLS with the peer; or, where that is asked for, without a certificate of our own, or without TLS. Rejects with
   * `HboneError`.
   */
  async #dialPeer(
    key: string,
    { source, destination }: HboneRequest,
    waiter: Waiter,
    onBytes: OnBytes,
  ): Promise<Socket> {
    const { identities, metrics, trustDomain } = this.#options
    const { connectTimeoutMs: timeoutMs, resume } = this.#pool
    const { via, serverName, expect, security } = destination
    const identity = identities.get(source)
    const name = `${via.host}:${via.port}`
    const isAnonymous = security === 'tls'
    const sessions = resume ? { kept: this.#sessions, key: `${identity.fingerprint} ${key}` } : undefined
    try {
      const socket = await dialPeer({
        ...{ host: via.host, port: via.port, destination: name, timeoutMs, metrics, waiter },
        // Its bytes go on to other sockets, which may keep them: memory of its own, in plain text, too.
        reads: tlsReads(onBytes),
        ...(security !== 'plain' && {
          tls: { identity, isAnonymous, alpn: hboneAlpn, trustDomain, expect, serverName, sessions },
        }),
      })
      return socket.setKeepAlive(true, 30_000)
    } catch (error) {
      if (!(error instanceof DialError)) throw error
      const what = security === 'plain' ? 'CONNECT' : 'HBONE'
      throw new HboneError(error.reason, `${what} to ${name}: ${error.message}`)
    }
  }
}

const gone = (): HboneError => new HboneError('client-gone', 'nobody waits for the stream any more')

function asHboneError(error: unknown, authority: string): Error {
  if (error instanceof StreamResetError) {
    return new HboneError('reset', `no stream to ${authority}: ${error.message}`)
  }
  return error instanceof Error ? error : new Error(String(error))
}

async function openStream(
  connection: H2Connection,
  fields: readonly string[],
  timeoutMs: number,
  waiter: Waiter,
): Promise<HboneStream> {
  return new Promise((resolve, reject) => {
    const giveUp = (error: HboneError): void => {
      settled()
      reject(error)
      stream.destroy()
    }
    const timer = setTimeout(() => {
      giveUp(new HboneError('timeout', `no answer to CONNECT within ${timeoutMs} ms`))
    }, timeoutMs)
    const settled = (): void => {
      clearTimeout(timer)
      waiter.onLeave = undefined
    }
    waiter.onLeave = () => {
      giveUp(gone())
    }
    const onError = (error: Error): void => {
      settled()
      reject(error)
    }
    const stream = new HboneStream()
    stream.onResponse = (status) => {
      settled()
      stream.off('error', onError)
      if (status === 200) {
        resolve(stream)
        return
      }
      reject(new HboneError('refused', `the peer answered ${status}`))
      stream.destroy()
    }
    stream.on('error', onError)
    const block = blockWriter.begin().fields(fields)
    stream.attach(connection.request(block.bytes, block.length, false, stream))
  })
}
