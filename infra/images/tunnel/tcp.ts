/**
 * Plain TCP for the tunnel: sockets that read into one shared buffer, and listeners that can be drained and cut.
 *
 * By default every read allocates 64 KiB and passes through a stream's queue. A tunnel copies what it reads into a frame
 * before the read returns, so one buffer serves all sockets (Node's documented `onread`).
 */
import { type AddressInfo, type Server, Socket, connect, createServer } from 'node:net'
import type { ListenerAddress } from '../shared/image.js'

export interface TcpListener {
  readonly address: ListenerAddress
  /** Stops accepting; resolves when the last connection is over. */
  drain(): Promise<void>
  /** Cuts every connection. */
  close(): void
}

/** Four DATA frames, each of which fills one TLS record with its header: 4 × (2^14 − 9). */
const readBuffer = Buffer.allocUnsafeSlow(4 * (16_384 - 9))

/** `onread` of a socket that emits `data` as usual, but with memory that is valid only during the event. */
function sharedRead(socket: () => Socket): {
  buffer: Buffer
  callback: (bytes: number, buffer: Uint8Array) => boolean
} {
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
  const socket: Socket = connect({
    ...to,
    allowHalfOpen: true,
    noDelay: true,
    onread: sharedRead(() => socket),
  })
  return socket
}

/** What Node's server keeps to itself: the handle that hands out accepted connections. */
interface ServerInternals {
  readonly _handle?: { onconnection?: (error: number, client?: { close(): void }) => void }
}

/**
 * Sockets come paused, with half-close; the chunks of their `data` must be used or copied at once. Rejects when the
 * address cannot be had.
 */
export async function listenTcp(
  options: ListenerAddress & { readonly maxConnections: number },
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
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  acceptWithSharedRead(server, () => sockets.size < options.maxConnections, accept)
  const bound = server.address() as AddressInfo
  return {
    address: { host: bound.address, port: bound.port },
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

/** `net.Server` has no `onread` option, so the sockets are made here. Without the internals its own sockets do. */
function acceptWithSharedRead(
  server: Server,
  hasRoom: () => boolean,
  accept: (socket: Socket) => void,
): void {
  const handle = (server as unknown as ServerInternals)._handle
  if (typeof handle?.onconnection !== 'function') return
  handle.onconnection = (error, client) => {
    if (error !== 0 || !client) return
    if (!hasRoom()) {
      client.close()
      return
    }
    const settings = {
      handle: client,
      allowHalfOpen: true,
      pauseOnCreate: true,
      onread: sharedRead(() => socket),
    }
    const socket: Socket = new Socket(settings)
    socket.pause()
    socket.setNoDelay(true)
    accept(socket)
  }
}
