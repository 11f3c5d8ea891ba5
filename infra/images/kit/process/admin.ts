/** The admin listener of every image: metrics for the harness, readiness for the platform, config for people. */
import { createServer } from 'node:http'
import { listen } from '../net/address.js'

/** Listens, and answers `/metrics`, `/healthz/live`, `/healthz/ready` and `/config`. Rejects when the port is taken. */
export async function startAdmin(options: {
  readonly host: string
  readonly port: number
  /** Prometheus text. */
  metrics(): string | Promise<string>
  /** Already redacted. */
  config(): unknown
  isReady(): boolean
}) {
  const server = createServer(
    { maxHeaderSize: 8192, requestTimeout: 10_000, headersTimeout: 5_000 },
    (request, response) => {
      const send = (status: number, type: string, body: string): void => {
        response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
        response.end(request.method === 'HEAD' ? undefined : body)
      }
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        send(405, 'text/plain', 'only GET\n')
        return
      }
      switch ((request.url ?? '').split('?', 1)[0]) {
        case '/metrics':
          Promise.resolve()
            .then(() => options.metrics())
            .then(
              (text) => {
                send(200, 'text/plain; version=0.0.4; charset=utf-8', text)
              },
              (error: unknown) => {
                send(500, 'text/plain', `${String(error)}\n`)
              },
            )
          break
        case '/healthz/live':
          send(200, 'text/plain', 'live\n')
          break
        case '/healthz/ready':
          if (options.isReady()) send(200, 'text/plain', 'ready\n')
          else send(503, 'text/plain', 'draining\n')
          break
        case '/config':
          send(200, 'application/json', JSON.stringify(options.config(), null, 2) + '\n')
          break
        default:
          send(404, 'text/plain', 'try /metrics, /healthz/ready or /config\n')
      }
    },
  )
  server.maxConnections = 100
  return {
    address: await listen(server, { name: 'admin', host: options.host, port: options.port }),
    close(): void {
      server.close()
      server.closeAllConnections()
    },
  }
}
