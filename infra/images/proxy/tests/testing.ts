/** What the proxy's tests need: a proxy in this process, upstreams that are programmable, and clients that send any bytes. */
import { once } from 'node:events'
import {
  type IncomingMessage,
  type RequestOptions,
  type Server,
  type ServerResponse,
  createServer,
  request,
} from 'node:http'
import {
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2Server,
} from 'node:http2'
import { type AddressInfo, type Socket, connect } from 'node:net'
import { afterEach } from 'vitest'
import { parseConfig } from '../../kit/process/config.js'
import type { ImageServer } from '../../kit/process/image.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import { createRegistry } from '../../kit/process/metrics.js'
import { listenTcp } from '../../kit/testing.js'
import { type ProxyConfig, proxySchema, verifyProxy } from '../config.js'
import { startProxy } from '../proxy.js'

export interface TestProxy {
  readonly server: ImageServer<ProxyConfig>
  /** The first listener. */
  readonly address: ListenerAddress
  /** Sum of the metric's children that have all of `labels` in their text. */
  metric(this: void, name: string, ...labels: string[]): number
  reload(config: Record<string, unknown>): Promise<void>
  close(): void
}

const base = {
  admin: { host: '127.0.0.1', port: 0 },
  trustDomain: 'bench.local',
  listeners: [{ name: 'downstream', host: '127.0.0.1', port: 0, transport: 'plain' }],
  routes: [{ match: {}, cluster: 'server' }],
}

export const cluster = (name: string, ...upstreams: readonly ListenerAddress[]): Record<string, unknown> => ({
  name,
  endpoints: upstreams.map(({ host, port }) => ({ host, port })),
  transport: 'plain',
})

export const h2 = (upstream: ListenerAddress) => ({ ...cluster('server', upstream), protocol: 'h2' })

/** Starts a proxy with a config that is completed by defaults: one plain listener, everything to cluster `server`. */
export async function startTestProxy(config: Record<string, unknown>, configDir = '/'): Promise<TestProxy> {
  const parse = (from: Record<string, unknown>): ProxyConfig => {
    const parsed = parseConfig(proxySchema, { ...base, ...from })
    verifyProxy(parsed)
    return parsed
  }
  const registry = createRegistry()
  const server = await startProxy(parse(config), { registry, configDir, log: () => {} })
  return {
    server,
    address: Object.values(server.listeners)[0] as ListenerAddress,
    metric: (name, ...labels) =>
      registry
        .render()
        .split('\n')
        .filter(
          (line) =>
            (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) &&
            labels.every((label) => line.includes(label)),
        )
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0),
    reload: (next) => server.reload(parse(next)),
    close() {
      server.close()
    },
  }
}

export interface TestUpstream extends ListenerAddress {
  readonly server: Server
  /** Requests in order of arrival, with their bodies. */
  readonly seen: readonly {
    readonly method: string
    readonly url: string
    readonly headers: IncomingMessage['headers']
    readonly body: string
  }[]
  close(): void
}

/** An upstream on node:http. Without a handler it answers 200 with the request's body. */
export async function startUpstream(
  handler: (request: IncomingMessage, response: ServerResponse, body: string) => void = (
    _request,
    response,
    body,
  ) => {
    response.end(body)
  },
): Promise<TestUpstream> {
  const seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
  const server = createServer((incoming, response) => {
    let body = ''
    incoming.setEncoding('latin1')
    incoming.on('data', (text: string) => (body += text))
    incoming.on('error', () => {})
    incoming.on('end', () => {
      seen.push({ method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers, body })
      handler(incoming, response, body)
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    server,
    seen,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** What a test opens; all that is in `open` is closed after each of the file's tests. */
export function closedAfterEach() {
  const open: { close(): void }[] = []
  afterEach(() => {
    for (const resource of open.splice(0)) resource.close()
  })
  const opened = <T extends { close(): void }>(resource: T): T => {
    open.push(resource)
    return resource
  }
  const proxy = async (...given: Parameters<typeof startTestProxy>) => opened(await startTestProxy(...given))
  return {
    open,
    proxy,
    proxyTo: (server: ListenerAddress, config: Record<string, unknown> = {}) =>
      proxy({ clusters: [cluster('server', server)], ...config }),
    upstream: async (...given: Parameters<typeof startUpstream>) => opened(await startUpstream(...given)),
    /** A client's connection of HTTP/2. */
    session: ({ address: { host, port } }: TestProxy): ClientHttp2Session => {
      const client = connectHttp2(`http://${host}:${port}`)
      client.on('error', () => {})
      opened({ close: () => client.destroy() })
      return client
    },
    /** `sessions` are its connections. */
    http2Upstream: async (handler: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void) => {
      const server = createHttp2Server()
      const sessions: ServerHttp2Session[] = []
      server.on('session', (session) => {
        session.on('error', () => {})
        sessions.push(session)
      })
      server.on('stream', (stream, headers) => {
        stream.on('error', () => {})
        handler(stream, headers)
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const close = () => {
        for (const session of sessions) session.destroy()
        server.close()
      }
      return opened({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, sessions, close })
    },
    /** A server that does with a socket what it likes. */
    rawServer: async (onSocket: (socket: Socket) => void) =>
      opened(await listenTcp(onSocket, { allowHalfOpen: false })),
  }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly trailers: NodeJS.Dict<string>
}

/** One request through node:http's client. */
export async function ask(
  { host, port }: ListenerAddress,
  options: RequestOptions & { readonly body?: string | Buffer } = {},
): Promise<Answer> {
  const { body, ...rest } = options
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, agent: false, ...rest }, (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (part: string) => (text += part))
      response.on('error', reject)
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text,
          trailers: response.trailers,
        })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** Sends bytes in the given pieces, each in a write of its own, and resolves with all that came back until the end. */
export async function sendRaw(
  { host, port }: ListenerAddress,
  pieces: readonly (string | Buffer)[],
  options: { readonly halfClose?: boolean; readonly timeoutMs?: number } = {},
): Promise<string> {
  const socket: Socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (part: string) => (text += part))
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => {
    socket.on('end', resolve)
    socket.on('close', resolve)
    setTimeout(resolve, options.timeoutMs ?? 2000).unref()
  })
  await once(socket, 'connect')
  for (const piece of pieces) {
    if (socket.destroyed) break
    socket.write(piece, 'latin1')
    if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve))
  }
  if (options.halfClose) socket.end()
  await closed
  socket.destroy()
  return text
}
