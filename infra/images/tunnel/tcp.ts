/**
 * Plain TCP for the tunnel: sockets that read into one shared buffer, and listeners that can be drained and cut.
 *
 * By default every read allocates 64 KiB and passes through a stream's queue. A tunnel copies what it reads into a frame
 * before the read returns, so one buffer serves all sockets (Node's documented `onread`).
 */
import { type Socket, connect, createServer } from 'node:net'
import { type Reads, acceptWithReads } from '../kit/net/accept-with-reads.js'
import { type ListenAt, type ListenerAddress, listen } from '../kit/net/address.js'
import type { HboneLimits } from '../kit/process/config.js'
import type { ListenerConfig } from './config.js'

export interface TcpListener {
  readonly address: ListenerAddress
  /** Stops accepting; resolves when the last connection is over. */
  drain(): Promise<void>
  /** Cuts every connection. */
  close(): void
}

/** A listener that a reload may change. */
export interface TunnelListener<C extends ListenerConfig> extends TcpListener {
  /** For connections, and streams, from now on; those that stand stay where they are. */
  update(config: C, limits: HboneLimits): void
}

/** Four DATA frames, each of which fills one TLS record with its header: 4 × (2^14 − 9). */
const readBuffer = Buffer.allocUnsafeSlow(4 * (16_384 - 9))

/**
 * Bytes that a socket takes before the stream behind it is told to wait. Node's own 16 KiB are one TLS record, so that
 * each record of a large transfer would stop and start its stream.
 */
const highWaterMark = 131_072

/** `onread` of a socket that emits `data` as usual, but with memory that is valid only during the event. */
function sharedRead(socket: () => Socket): Reads {
  return {
    buffer: readBuffer,
    callback(bytes) {
      const reader = socket()
      reader.emit('data', readBuffer.subarray(0, bytes))
      // A listener that paused has stopped the reading itself.
      return true
    },
  }
}

/** Connects with half-close. The chunks of `data` must be used or copied at once. */
export function connectTcp(to: ListenerAddress): Socket {
  const settings = {
    ...to,
    allowHalfOpen: true,
    noDelay: true,
    writableHighWaterMark: highWaterMark,
    onread: sharedRead(() => socket),
  }
  const socket: Socket = connect(settings)
  return socket
}

/**
 * Sockets come paused, with half-close; the chunks of their `data` must be used or copied at once. Rejects when the
 * address cannot be had.
 */
export async function listenTcp(
  options: ListenAt & { readonly maxConnections: number },
  onSocket: (socket: Socket) => void,
): Promise<TcpListener> {
  const sockets = new Set<Socket>()
  let emptied: (() => void) | undefined
  const accept = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      if (sockets.size === 0) emptied?.()
    })
    onSocket(socket)
  }
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, accept)
  server.maxConnections = options.maxConnections
  const address = await listen(server, options)
  const hasRoom = (): boolean => sockets.size < options.maxConnections
  acceptWithReads(server, { hasRoom, reads: sharedRead, highWaterMark }, accept)
  return {
    address,
    async drain() {
      server.close()
      await new Promise<void>((resolve) => {
        emptied = resolve
        if (sockets.size === 0) resolve()
      })
    },
    close() {
      server.close()
      for (const socket of sockets) socket.resetAndDestroy()
    },
  }
}
