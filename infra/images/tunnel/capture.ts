/** The way in: plain TCP connections, each carried over one HBONE stream with the identity of its workload. */
import { isIPv6 } from 'node:net'
import type { Socket } from 'node:net'
import { isDisconnected } from '../kit/net/reset.js'
import { splice } from '../kit/net/splice.js'
import { Waiter } from '../kit/net/waiter.js'
import type { HbonePool } from '../kit/hbone/client.js'
import { HboneError } from '../kit/hbone/hbone.js'
import { type HopMetrics, countersThrough } from '../kit/process/hop-metrics.js'
import type { ImageContext } from '../kit/process/image.js'
import { parseSpiffeId } from '../kit/tls/spiffe.js'
import type { CaptureConfig } from './config.js'
import { type ConnectionEnds, type ConnectionMetrics, meteredBy } from './connection-metrics.js'
import { type TunnelListener, listenTcp } from './tcp.js'

export async function startCapture(
  initial: CaptureConfig,
  options: {
    readonly pool: HbonePool
    readonly metrics: HopMetrics
    readonly maxConnections: number
    readonly context: ImageContext
    readonly connections: ConnectionMetrics | undefined
  },
): Promise<TunnelListener<CaptureConfig>> {
  const { pool, metrics } = options
  let config = initial
  let baggage = formatBaggage(config)
  const accepted = metrics.downstreamConnections.labels(config.name)
  const counters = countersThrough(metrics)
  const failures = metrics.registry.counter(
    'meshbench_connect_failures_total',
    'Connections that were accepted and could not be carried on.',
    ['listener', 'reason'],
  )

  const watch = new ResetWatch()
  const carry = async (socket: Socket): Promise<void> => {
    accepted.add()
    // Before the stream stands nobody else listens; what went wrong shows when it is read.
    socket.on('error', () => {})
    const waiter = watch.add(socket)
    try {
      const stream = await pool.connect({
        source: config.source,
        destination: config.destination,
        waiter,
        headers: { baggage, forwarded: formatForwarded(socket, config.destination.authority) },
      })
      splice(socket, stream, meteredBy(counters, options.connections?.open(endsOf(config))))
      socket.resume()
    } catch (error) {
      const reason = error instanceof HboneError ? error.reason : 'error'
      failures.labels(config.name, reason).add()
      options.context.log('connect-failed', { listener: config.name, reason, problem: String(error) })
      socket.resetAndDestroy()
    } finally {
      watch.delete(socket)
    }
  }
  const listener = await listenTcp({ ...config, maxConnections: options.maxConnections }, (socket) => {
    void carry(socket)
  })
  return {
    ...listener,
    update(next) {
      config = next
      baggage = formatBaggage(next)
    },
  }
}

/** Who is proved by the handshake: with one id expected, the peer has that id. */
function endsOf({ source, destination }: CaptureConfig): ConnectionEnds {
  const { authority: service, security, expect } = destination
  const peer = security !== 'plain' && expect.length === 1 ? expect[0] : undefined
  return {
    ...{ reporter: 'source', service, security, destination: peer },
    source: security === 'mtls' ? source : undefined,
  }
}

/** How often connections that wait for their streams are asked whether they are still there. */
const lookMs = 250

/** Connections that nobody reads from yet, so that no event tells of a reset. While there are none nothing runs. */
class ResetWatch {
  readonly #waiting = new Map<Socket, Waiter>()
  #timer: NodeJS.Timeout | undefined

  /** Returns who waits: it leaves when the connection is reset, or cut here. */
  add(socket: Socket): Waiter {
    const waiter = new Waiter()
    this.#waiting.set(socket, waiter)
    this.#timer ??= setInterval(() => {
      this.#look()
    }, lookMs)
    return waiter
  }

  delete(socket: Socket): void {
    this.#waiting.delete(socket)
  }

  #look(): void {
    for (const [socket, waiter] of this.#waiting) if (isDisconnected(socket)) waiter.leave()
    if (this.#waiting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

/** RFC 7239, in the form that ztunnel uses. */
function formatForwarded(
  { remoteAddress = 'unknown', remotePort = 0 }: Partial<Socket>,
  authority: string,
): string {
  const address = isIPv6(remoteAddress) ? `[${remoteAddress}]` : remoteAddress
  return `for="${address}:${remotePort}";host="${authority}"`
}

function formatBaggage({ baggage, source }: CaptureConfig): string {
  const { namespace, serviceAccount } = parseSpiffeId(source) ?? {}
  const derived =
    namespace && serviceAccount ? { 'k8s.namespace.name': namespace, 'service.name': serviceAccount } : {}
  return Object.entries(baggage ?? derived)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
