/** HBONE connections to peers, pooled by source identity and destination, so that streams share handshakes. */
import type { ByteStream } from '../net/byte-stream.js'
import type { HboneLimits, PoolConfig } from '../process/config.js'
import { errorCode } from '../h2/frames.js'
import { type HboneDestination, HboneError } from './hbone.js'
import { H2Connection } from '../h2/connection.js'
import { dialHbone, type TlsSession, type TlsSessions } from './dial.js'
import { StreamResetError } from '../h2/stream.js'
import { HboneStream } from './stream.js'
import type { HopMetrics } from '../process/hop-metrics.js'
import { blockWriter } from '../h2/hpack.js'
import type { Identity, IdentityStore } from '../tls/identities.js'

export interface HboneRequest {
  /** SPIFFE id of the workload on whose behalf the stream is opened. */
  readonly source: string
  readonly destination: HboneDestination
  /** `baggage`, `forwarded`, `traceparent`. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface HbonePool {
  /** Opens a stream. Rejects with `HboneError` (its status is the peer's, or 503). */
  connect(request: HboneRequest): Promise<ByteStream>
  /** TLS connections that are open or carry streams. */
  readonly connections: number
  /** Changes limits for connections from now on. */
  configure(pool: PoolConfig): void
  /** Retires connections: each closes with its last stream. Streams may still be opened, on new ones. */
  retire(): void
  close(): void
}

interface Pooled {
  readonly key: string
  readonly source: string
  readonly fingerprint: string
  readonly connection: H2Connection
  /** Streams that are about to be opened: who waited for the same dial comes back in the same turn. */
  reserved: number
  idleTimer: NodeJS.Timeout | undefined
}

/** A stream that failed for a reason which another connection may not share is tried again this often. */
const retries = 2

export function createHbonePool(options: {
  readonly identities: IdentityStore
  readonly metrics: HopMetrics
  readonly trustDomain: string
  readonly pool: PoolConfig
  readonly limits: HboneLimits
}): HbonePool {
  const { identities, metrics, trustDomain, limits } = options
  let { pool } = options
  /** Connections that take new streams, by key. */
  const open = new Map<string, Pooled[]>()
  /** All that are not closed, retired ones too. */
  const alive = new Set<Pooled>()
  const dialling = new Map<string, Promise<Pooled>>()
  /** The latest TLS session by key, and by the certificate that it was made with: another one needs a full handshake. */
  const sessions = new Map<string, TlsSession>()
  const streams = metrics.hboneStreams.labels('outbound')
  const gauge = metrics.hboneConnections.labels('client')

  const retire = (pooled: Pooled): void => {
    const list = open.get(pooled.key)?.filter((other) => other !== pooled) ?? []
    if (list.length > 0) open.set(pooled.key, list)
    else open.delete(pooled.key)
    clearTimeout(pooled.idleTimer)
    pooled.connection.drain()
  }

  const sessionsOf = (key: string, { fingerprint }: Identity): TlsSessions => {
    const name = `${fingerprint} ${key}`
    return {
      get latest() {
        return sessions.get(name)
      },
      keep(session) {
        if (session) sessions.set(name, session)
        else sessions.delete(name)
      },
    }
  }

  identities.onChange((changed) => {
    sessions.clear()
    for (const pooled of alive) if (changed.includes(pooled.source)) retire(pooled)
  })

  async function dial(key: string, { source, destination }: HboneRequest): Promise<Pooled> {
    const identity = identities.get(source)
    const early: Buffer[] = []
    // What the peer says before the promise of its connection is kept.
    let read = (bytes: Buffer): void => {
      early.push(Buffer.from(bytes))
    }
    const socket = await dialHbone({
      identity,
      destination,
      trustDomain,
      timeoutMs: pool.connectTimeoutMs,
      metrics,
      onBytes(bytes) {
        read(bytes)
      },
      ...(pool.resume ? { sessions: sessionsOf(key, identity) } : {}),
    })
    const opened = new H2Connection(socket, 'client', limits, {
      onPeerChange: () => {
        if (!opened.usable) retire(pooled)
      },
      onStreamClose: () => {
        if (opened.streamCount > 0) return
        if (!pool.multiplex) retire(pooled)
        else if (opened.usable) waitIdle(pooled)
      },
      onClose: () => {
        retire(pooled)
        alive.delete(pooled)
        gauge.add(-1)
      },
    })
    read = (bytes) => {
      opened.read(bytes)
    }
    const pooled: Pooled = {
      key,
      source,
      fingerprint: identity.fingerprint,
      connection: opened,
      reserved: 0,
      idleTimer: undefined,
    }
    alive.add(pooled)
    gauge.add(1)
    if (pool.multiplex) {
      const list = open.get(key)
      if (list) list.push(pooled)
      else open.set(key, [pooled])
      waitIdle(pooled)
    }
    for (const bytes of early) opened.read(bytes)
    return pooled
  }

  function waitIdle(pooled: Pooled): void {
    clearTimeout(pooled.idleTimer)
    pooled.idleTimer = setTimeout(() => {
      retire(pooled)
    }, pool.idleMs).unref()
  }

  const findRoom = (key: string): Pooled | undefined => {
    for (const pooled of open.get(key) ?? []) {
      const { connection, reserved } = pooled
      const room = Math.min(pool.maxStreamsPerConnection, connection.peerMaxStreams)
      if (connection.usable && connection.streamCount + reserved < room) return pooled
    }
    return undefined
  }

  /**
   * Streams that arrive together share one handshake and not more than fit on a connection. Reserves room for one, which
   * the caller gives back when it opens it.
   */
  async function acquire(request: HboneRequest): Promise<{ pooled: Pooled; fresh: boolean }> {
    const { source, destination } = request
    const key = `${source} ${destination.via.host}:${destination.via.port} ${destination.serverName ?? ''} ${destination.expect.join()}`
    if (!pool.multiplex) return reserve(await dial(key, request), true)
    let fresh = false
    for (;;) {
      const pooled = findRoom(key)
      if (pooled) return reserve(pooled, fresh)
      let pending = dialling.get(key)
      if (!pending) {
        pending = dial(key, request).finally(() => dialling.delete(key))
        dialling.set(key, pending)
      }
      await pending
      fresh = true
    }
  }

  const reserve = (pooled: Pooled, fresh: boolean): { pooled: Pooled; fresh: boolean } => {
    pooled.reserved += 1
    return { pooled, fresh }
  }

  return {
    async connect(request) {
      const { authority } = request.destination
      const fields = [
        ':method',
        'CONNECT',
        ':authority',
        authority,
        ...Object.entries(request.headers ?? {}).flat(),
      ]
      for (let attempt = 0; ; attempt += 1) {
        const { pooled } = await acquire(request)
        clearTimeout(pooled.idleTimer)
        pooled.reserved -= 1
        try {
          const stream = await openStream(pooled.connection, fields, pool.connectTimeoutMs)
          streams.add()
          return stream
        } catch (error) {
          // Nothing of the stream was used yet, so a connection that went away meanwhile costs only another try.
          if (
            !(error instanceof StreamResetError) ||
            attempt >= retries ||
            error.h2Code === errorCode.connect
          ) {
            throw asHboneError(error, authority)
          }
        }
      }
    },
    get connections() {
      return alive.size
    },
    configure(next) {
      pool = next
      if (!pool.resume) sessions.clear()
    },
    retire() {
      for (const pooled of alive) retire(pooled)
    },
    close() {
      for (const { connection } of alive) connection.close()
    },
  }
}

function asHboneError(error: unknown, authority: string): Error {
  if (error instanceof StreamResetError) {
    return new HboneError(503, 'reset', `no stream to ${authority}: ${error.message}`)
  }
  return error instanceof Error ? error : new Error(String(error))
}

async function openStream(
  connection: H2Connection,
  fields: readonly string[],
  timeoutMs: number,
): Promise<HboneStream> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new HboneError(503, 'timeout', `no answer to CONNECT within ${timeoutMs} ms`))
      stream.destroy()
    }, timeoutMs)
    const onError = (error: Error): void => {
      clearTimeout(timer)
      reject(error)
    }
    const stream = new HboneStream()
    stream.onResponse = (status) => {
      clearTimeout(timer)
      stream.off('error', onError)
      if (status === 200) {
        resolve(stream)
        return
      }
      reject(new HboneError(status, 'refused', `the peer answered ${status}`))
      stream.destroy()
    }
    stream.on('error', onError)
    const block = blockWriter.begin().fields(fields)
    stream.attach(connection.request(block.bytes, block.length, false, stream))
  })
}
