/** Few TLS handshakes at a time, so that many new connections do not keep those that stand waiting. */
import type { Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'

/**
 * A handshake costs a server milliseconds of CPU, and one turn of the event loop takes all that have come a step further:
 * whoever has a request in flight waits for so many of them at most.
 */
export const mostHandshakes = 4
/** Peers that take longer do not hold up others. With so long a wait 200 handshakes a second begin even so. */
export const patienceMs = 20

/**
 * Returns what takes accepted connections, in the place of `server`, which does not listen itself: it is told of them by
 * its event `connection`. They have to come paused.
 */
export function paceHandshakes(server: TlsServer): (socket: Socket) => void {
  const waiting: Socket[] = []
  let underWay = 0
  let patience: NodeJS.Timeout | undefined
  const begin = (): void => {
    while (underWay < mostHandshakes) {
      const socket = waiting.shift()
      if (socket === undefined) break
      if (socket.destroyed) continue
      underWay += 1
      server.emit('connection', socket)
    }
    clearTimeout(patience)
    if (waiting.length > 0) patience = setTimeout(writeOff, patienceMs)
  }
  const writeOff = (): void => {
    underWay = 0
    begin()
  }
  const onEnded = (): void => {
    // One that was written off ends too.
    if (underWay > 0) underWay -= 1
    begin()
  }
  server.on('secureConnection', onEnded)
  server.on('tlsClientError', onEnded)
  return (socket) => {
    // Errors of a handshake come as `tlsClientError`.
    socket.on('error', () => {})
    waiting.push(socket)
    begin()
  }
}
