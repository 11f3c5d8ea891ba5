/** HBONE connections to peers, pooled by source identity and destination, so that streams share handshakes. */
import type { Socket } from 'node:net'
import type { ByteStream } from '../net/byte-stream.js'
import { tlsReads } from '../net/reads.js'
import { SharedDial, Waiter } from '../net/waiter.js'
import type { HboneLimits, PoolConfig } from '../process/config.js'
import { errorCode } from '../h2/frames.js'
import { type HboneDestination, HboneError, hboneAlpn } from './hbone.js'
import { H2Connection } from '../h2/connection.js'
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

interface Pooled {
  readonly key: string
  readonly source: string
  readonly connection: H2Connection
  /** Streams that are about to be opened: who waited for the same dial comes back in the same turn. */
  reserved: number
  idleTimer: NodeJS.Timeout | undefined
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

export class HbonePool {
  readonly #options: HbonePoolOptions
  #pool: PoolConfig
  /** Connections that take new streams, by key. */
  readonly #open = new Map<string, Pooled[]>()
  /** All that are not closed, retired ones too. */
  readonly #alive = new Set<Pooled>()
  readonly #dialling = new Map<string, SharedDial<Pooled>>()
  /** The latest TLS session by key, and by the certificate that it was made with: another one needs a full handshake. */
  readonly #sessions = new Map<string, TlsSession>()
  readonly #streams: Cell
  readonly #gauge: Cell

  constructor(options: HbonePoolOptions) {
    this.#options = options
    this.#pool = options.pool
    this.#streams = options.metrics.hboneStreams.labels('outbound')
    this.#gauge = options.metrics.hboneConnections.labels('client')
    options.identities.onChange((changed) => {
      this.#sessions.clear()
      for (const pooled of this.#alive) if (changed.includes(pooled.source)) this.#retire(pooled)
    })
  }

  /** Opens a stream. Rejects with `HboneError`, also for a waiter that has left. */
  async connect(request: HboneRequest): Promise<ByteStream> {
    const { authority } = request.destination
    const own = [':method', 'CONNECT', ':authority', authority]
    const fields = [...own, ...Object.entries(request.headers ?? {}).flat()]
    for (let attempt = 0; ; attempt += 1) {
      const pooled = await this.#acquire(request)
      clearTimeout(pooled.idleTimer)
      pooled.reserved -= 1
      try {
        const { connectTimeoutMs } = this.#pool
        const stream = await openStream(pooled.connection, fields, connectTimeoutMs, request.waiter)
        this.#streams.add()
        if (request.waiter?.isGone !== true) return stream
        stream.destroy()
        throw gone()
      } catch (error) {
        // Nothing of the stream was used yet, so a connection that went away meanwhile costs only another try.
        const isFinal = !(error instanceof StreamResetError) || error.h2Code === errorCode.connect
        if (isFinal || attempt >= retries) throw asHboneError(error, authority)
      }
    }
  }

  /** Changes limits for connections from now on. */
  configure(next: PoolConfig): void {
    this.#pool = next
    if (!next.resume) this.#sessions.clear()
  }

  /** Retires connections: each closes with its last stream. Streams may still be opened, on new ones. */
  retire(): void {
    for (const pooled of this.#alive) this.#retire(pooled)
  }

  close(): void {
    for (const { connection } of this.#alive) connection.close()
  }

  #retire(pooled: Pooled): void {
    const list = this.#open.get(pooled.key)?.filter((other) => other !== pooled) ?? []
    if (list.length > 0) this.#open.set(pooled.key, list)
    else this.#open.delete(pooled.key)
    clearTimeout(pooled.idleTimer)
    pooled.connection.drain()
  }

  async #dial(key: string, request: HboneRequest, waiter: Waiter): Promise<Pooled> {
    const early: Buffer[] = []
    // What the peer says before the promise of its connection is kept.
    let read = (bytes: Buffer): void => {
      early.push(Buffer.from(bytes))
    }
    const socket = await this.#dialPeer(key, request, waiter, (bytes) => {
      read(bytes)
    })
    const pooled = this.#add(key, request.source, socket)
    read = (bytes) => {
      pooled.connection.read(bytes)
    }
    for (const bytes of early) pooled.connection.read(bytes)
    return pooled
  }

  /**
   * Mutual TLS with the peer; or, where that is asked for, without a certificate of our own, or without TLS. Rejects with
   * `HboneError`.
   */
  async #dialPeer(
    key: string,
    { source, destination }: HboneRequest,
    waiter: Waiter,
    onBytes: (bytes: Buffer) => void,
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
        reads: tlsReads((buffer, length) => {
          onBytes(buffer.subarray(0, length))
        }),
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

  #add(key: string, source: string, socket: ByteStream): Pooled {
    const connection = new H2Connection(socket, 'client', this.#options.limits, {
      onPeerChange: () => {
        if (!connection.usable || connection.isUseless) this.#retire(pooled)
      },
      onStreamClose: () => {
        if (connection.streamCount > 0) return
        if (!this.#pool.multiplex || connection.isUseless) this.#retire(pooled)
        else if (connection.usable) this.#waitIdle(pooled)
      },
      onClose: () => {
        this.#retire(pooled)
        this.#alive.delete(pooled)
        this.#gauge.add(-1)
      },
    })
    const pooled: Pooled = { key, source, connection, reserved: 0, idleTimer: undefined }
    this.#alive.add(pooled)
    this.#gauge.add(1)
    if (this.#pool.multiplex) {
      const list = this.#open.get(key)
      if (list) list.push(pooled)
      else this.#open.set(key, [pooled])
      this.#waitIdle(pooled)
    }
    return pooled
  }

  #waitIdle(pooled: Pooled): void {
    clearTimeout(pooled.idleTimer)
    pooled.idleTimer = setTimeout(() => {
      this.#retire(pooled)
    }, this.#pool.idleMs).unref()
  }

  #findRoom(key: string): Pooled | undefined {
    for (const pooled of this.#open.get(key) ?? []) {
      const { connection, reserved } = pooled
      const room = Math.min(this.#pool.maxStreamsPerConnection, connection.peerMaxStreams)
      if (connection.usable && connection.streamCount + reserved < room) return pooled
    }
    return undefined
  }

  /**
   * Streams that arrive together share one handshake and not more than fit on a connection. Reserves room for one, which
   * the caller gives back when it opens it.
   */
  async #acquire(request: HboneRequest): Promise<Pooled> {
    const { source, destination } = request
    const key = `${source} ${destination.via.host}:${destination.via.port} ${destination.serverName ?? ''} ${destination.expect.join()} ${destination.security ?? 'mtls'}`
    const { waiter = new Waiter() } = request
    if (waiter.isGone) throw gone()
    let pooled = this.#pool.multiplex ? this.#findRoom(key) : await this.#dial(key, request, waiter)
    for (let useless = 0; !pooled;) {
      const dialled = await this.#sharedDial(key, request).wait(waiter)
      if (waiter.isGone) throw gone()
      pooled = this.#findRoom(key)
      // Others may have taken its streams; a peer that gives none would be dialled for ever.
      if (dialled?.connection.usable === true && !dialled.connection.isUseless) continue
      useless += 1
      if (!pooled && useless > retries) {
        const { host, port } = destination.via
        throw new HboneError('no-streams', `${host}:${port} takes connections and no streams on them`)
      }
    }
    if (waiter.isGone) {
      // It left with the handshake's last step: nothing else would ever close a connection for one stream.
      if (!this.#pool.multiplex) this.#retire(pooled)
      throw gone()
    }
    pooled.reserved += 1
    return pooled
  }

  /** The dial that is under way, unless it was given up, or a new one. */
  #sharedDial(key: string, request: HboneRequest): SharedDial<Pooled> {
    const pending = this.#dialling.get(key)
    if (pending?.isGivenUp === false) return pending
    const waiter = new Waiter()
    const opened = this.#dial(key, request, waiter).finally(() => {
      if (this.#dialling.get(key) === dial) this.#dialling.delete(key)
    })
    const dial = new SharedDial(opened, waiter)
    this.#dialling.set(key, dial)
    return dial
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
  waiter: Waiter | undefined,
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
      if (waiter !== undefined) waiter.onLeave = undefined
    }
    if (waiter !== undefined)
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
