/** The echo server: the application behind every path, cheap enough that hops show, and faulty on request. */
import { type Server, type Socket, createServer } from 'node:net'
import { createHopMetrics, requestCounter } from '../kit/process/hop-metrics.js'
import { type ImageContext, type ImageServer, runImage } from '../kit/process/image.js'
import { type ListenerAddress, listen } from '../kit/net/address.js'
import { type EchoConfig, type ListenerConfig, echoSchema } from './config.js'
import { createFaults } from './faults.js'
import { type Decide, Http1Connection } from './http1.js'
import { serveHttp2 } from './http2.js'
import type { EchoConnection, EchoService } from './service.js'
import { authorizer, issuer, rateLimiter } from './services.js'
import { serveTcpEcho } from './tcp.js'

await runImage({ name: 'echo', schema: echoSchema, start })

async function start(config: EchoConfig, context: ImageContext): Promise<ImageServer<EchoConfig>> {
  const metrics = createHopMetrics(context.registry)
  const faults = createFaults(
    config.faults,
    context.registry.counter('meshbench_burn_seconds_total', 'CPU time burned on purpose.').labels(),
  )
  let draining = false
  const service: EchoService = {
    faults,
    countRequest: requestCounter(metrics),
    receivedBytes: metrics.receivedBytes.labels('downstream'),
    sentBytes: metrics.sentBytes.labels('downstream'),
    isDraining: () => draining,
  }
  const connections = new Map<Socket, EchoConnection | undefined>()
  let drained: (() => void) | undefined
  const acceptor = (listener: ListenerConfig) => {
    const serve = serverOf(listener, service)
    const accepted = metrics.downstreamConnections.labels(listener.name)
    const open = (socket: Socket, first: Buffer) => connections.set(socket, serve(socket, first))
    return (socket: Socket) => {
      accepted.add()
      connections.set(socket, undefined)
      socket.on('error', () => {})
      socket.on('close', () => {
        connections.delete(socket)
        if (connections.size === 0) drained?.()
      })
      if (listener.kind === 'http') sniff(socket, (first) => open(socket, first))
      else open(socket, nothing)
    }
  }

  const servers: Server[] = []
  const listeners: Record<string, ListenerAddress> = {}
  for (const listener of config.listeners) {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, acceptor(listener))
    listeners[listener.name] = await listen(server, listener)
    servers.push(server)
  }
  return {
    listeners,
    async reload(next) {
      faults.reload(next.faults)
    },
    async drain() {
      draining = true
      for (const server of servers) server.close()
      for (const [socket, connection] of connections) {
        if (connection) connection.drain()
        else socket.destroy()
      }
      if (connections.size > 0) await new Promise<void>((resolve) => (drained = resolve))
    },
    close() {
      faults.close()
      for (const socket of connections.keys()) socket.destroy()
    },
  }
}

const nothing = Buffer.alloc(0)

/** Serves a new connection; `first` is what was already read from it. */
type Serve = (socket: Socket, first: Buffer) => EchoConnection

function serverOf(listener: ListenerConfig, service: EchoService): Serve {
  const deciding =
    (decide: Decide): Serve =>
    (socket, first) =>
      new Http1Connection(socket, first, service, decide)
  switch (listener.kind) {
    case 'tcp':
      return (socket, first) => serveTcpEcho(socket, first, service)
    case 'http':
      return (socket, first) => serveSniffed(socket, first, service)
    case 'authorizer':
      return deciding(authorizer(listener.allow))
    case 'issuer':
      return deciding(issuer(listener.jwks))
    case 'rate-limiter': {
      const calls = rateLimiter(listener)
      return (socket, first) => serveHttp2(socket, first, service, calls)
    }
  }
}

/** Waits for as many bytes as tell the protocols apart. */
function sniff(socket: Socket, decided: (first: Buffer) => void): void {
  let first: Buffer = Buffer.alloc(0)
  const onData = (chunk: Buffer): void => {
    first = first.length === 0 ? chunk : Buffer.concat([first, chunk])
    // POST, PUT and PATCH share their first letter with the preface of HTTP/2.
    if (first[0] === 0x50 && first.length < 3) return
    socket.removeListener('data', onData)
    socket.removeListener('end', onEnd)
    decided(first)
  }
  const onEnd = (): void => {
    socket.end()
  }
  socket.on('data', onData)
  socket.on('end', onEnd)
}

/** A framed TCP message starts with a length below 16 MiB and so with a zero byte, which no HTTP request does. */
function serveSniffed(socket: Socket, first: Buffer, service: EchoService): EchoConnection {
  if (first[0] === 0) return serveTcpEcho(socket, first, service)
  // RFC 9113 §3.4: the preface looks like a request with the method PRI.
  if (first.toString('latin1', 0, 3) === 'PRI') return serveHttp2(socket, first, service)
  return new Http1Connection(socket, first, service)
}
