/** Accepts connections, plain, mutual TLS or HBONE, tells HTTP/2 from HTTP/1.1 and keeps track of what is open. */
import { clientPreface } from '../../kit/h2/frames.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import type { SpiffeId } from '../../kit/tls/spiffe.js'
import type { ProxyConfig } from '../config.js'
import type { ProxyListenerConfig } from '../shapes.js'
import type { Clock } from '../exchange/sides.js'
import type { DownstreamContext } from './downstream-context.js'
import { type FrontContext, openFront } from './fronts.js'
import { Http1Downstream } from './http1-downstream.js'
import { Http2Connection } from './http2-downstream.js'
import type { Runtime } from '../runtime.js'
import type { Leasing } from '../../kit/net/reads.js'

export interface ListenerContext extends FrontContext {
  readonly clock: Clock
  readonly runtime: () => Runtime
  readonly isDraining: () => boolean
}

/** Who was accepted while the listener drains, as its handshake was under way, and asks for nothing, is not waited for any longer. */
const drainSilentMs = 500

type DownstreamConnection = Http1Downstream | Http2Connection

interface Accepted {
  readonly stream: ByteStream
  connection: DownstreamConnection | undefined
  sinceMs: number
  /** Too few to tell its protocol. */
  hasBytes: boolean
}

/** Listens. Rejects when the port cannot be had. */
export async function openListener(
  listener: ProxyListenerConfig,
  config: ProxyConfig,
  context: ListenerContext,
) {
  const { metrics, clock } = context
  const open = new Set<Accepted>()
  let drained: (() => void) | undefined
  const accepted = metrics.downstreamConnections.labels(listener.name)
  const ofListener = describe(listener, context)

  const serve = (stream: ByteStream, address: string, peer: SpiffeId | undefined, reads: Leasing): void => {
    const limits = context.runtime().limits
    if (open.size >= limits.connections) {
      stream.destroy()
      return
    }
    accepted.add()
    const entry: Accepted = { stream, connection: undefined, sinceMs: clock.nowMs, hasBytes: false }
    open.add(entry)
    stream.on('error', () => {})
    stream.on('end', () => {
      // A client that goes before its protocol is known; later the connection hears of it.
      if (entry.connection === undefined) stream.end()
    })
    stream.on('close', () => {
      open.delete(entry)
      if (open.size === 0) drained?.()
    })
    const downstream: DownstreamContext = {
      ...ofListener,
      peer,
      address,
      clientCert:
        listener.clientCert === 'set' && peer !== undefined
          ? `By=${config.identity?.spiffeId ?? ''};URI=${peer.id}`
          : undefined,
    }
    sniff(stream, {
      onFirstByte: () => {
        entry.sinceMs = clock.nowMs
        entry.hasBytes = true
      },
      decide: (isHttp2) =>
        (entry.connection = isHttp2
          ? new Http2Connection(stream, downstream)
          : new Http1Downstream(stream, downstream, reads)),
    })
  }

  const front = await openFront(listener, config, context, serve)
  return {
    ...front,
    name: listener.name,
    onTick(nowMs: number): void {
      const { headTimeoutMs, idleMs } = context.runtime().limits
      for (const entry of open) {
        const silentMs = context.isDraining() ? drainSilentMs : idleMs
        if (entry.connection !== undefined) entry.connection.onTick(nowMs)
        else if (nowMs - entry.sinceMs > (entry.hasBytes ? headTimeoutMs : silentMs)) entry.stream.destroy()
      }
    },
    /** Stops accepting; resolves when the last connection is closed. */
    async drain(): Promise<void> {
      const stopped = front.stop()
      for (const entry of open) {
        if (entry.connection === undefined) entry.stream.destroy()
        else entry.connection.drain()
      }
      if (open.size > 0) await new Promise<void>((resolve) => (drained = resolve))
      await stopped
    },
    close(): void {
      front.close()
      for (const { stream } of open) stream.destroy()
    },
  }
}

export type ProxyListener = Awaited<ReturnType<typeof openListener>>

/** What all connections of a listener have in common. */
function describe(listener: ProxyListenerConfig, { metrics, clock, runtime, isDraining }: ListenerContext) {
  const { name, transport, clientCert } = listener
  return {
    ...{ listener: name, clock, runtime, isDraining },
    scheme: transport === 'plain' || transport === 'connect' ? 'http' : 'https',
    keepsClientCert: clientCert === 'keep',
    receivedBytes: metrics.receivedBytes.labels('downstream'),
    sentBytes: metrics.sentBytes.labels('downstream'),
  } as const
}

/** Reads as much as tells HTTP/2 with prior knowledge from HTTP/1.1, then hands the stream over. */
function sniff(
  stream: ByteStream,
  { onFirstByte, decide }: { onFirstByte: () => void; decide: (isHttp2: boolean) => DownstreamConnection },
): void {
  let first: Buffer | undefined
  let connection: DownstreamConnection | undefined
  stream.on('data', (bytes) => {
    if (connection !== undefined) {
      connection.onBytes(bytes)
      return
    }
    const all = first === undefined ? bytes : Buffer.concat([first, bytes])
    const length = Math.min(all.length, clientPreface.length)
    const isPreface = all.compare(clientPreface, 0, length, 0, length) === 0
    if (isPreface && length < clientPreface.length) {
      if (first === undefined) onFirstByte()
      first = Buffer.from(all)
      return
    }
    first = undefined
    connection = decide(isPreface)
    connection.onBytes(all)
  })
}
