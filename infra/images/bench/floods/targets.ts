/** What floods are sent at: the proxy's HTTP/2 and the tunnel's HBONE, with a way past the flooded connection for a bystander. */
import { readFileSync, readdirSync } from 'node:fs'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ListenerAddress } from '../../kit/net/address.js'
import { type Workspace, startImage } from '../../kit/testing.js'
import { pairAuthority, startTunnelPair } from '../../tunnel/pair.js'
import { proxyConfig } from '../proxy-config.js'
import type { AttackTarget } from './attack.js'
import type { FloodRequest } from './kinds.js'

export interface FloodTarget {
  readonly name: keyof typeof floodRequests
  readonly attack: AttackTarget
  /** Where a bystander asks over HTTP/1.1, on connections of its own. */
  readonly entry: ListenerAddress
  /** The process that is flooded. */
  readonly pid: number
  stop(): Promise<void>
}

const largeBody = Buffer.alloc(1 << 20, 'l')

/** Answers `/large` with 1 MiB, `/empty` with nothing, and everything else with a few bytes. */
async function startApplication(): Promise<{ readonly address: ListenerAddress; readonly server: Server }> {
  const server = createServer((request, response) => {
    if (request.url === '/empty') response.writeHead(204).end()
    else response.end(request.url === '/large' ? largeBody : 'small')
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, server }
}

function stopApplication(server: Server): void {
  server.close()
  server.closeAllConnections()
}

/** Slow prefaces are cut after this, so that a run sees descriptors come back. */
const headTimeoutMs = 1000

/** What a request is to either target. */
export const floodRequests = {
  proxy: {
    head: (ended, path = '/') => [
      [':method', ended ? 'GET' : 'POST'],
      [':scheme', 'http'],
      [':path', path],
      [':authority', 'bench.test'],
    ],
    ask: () => undefined,
  },
  HBONE: {
    head: () => [
      [':method', 'CONNECT'],
      [':authority', pairAuthority],
    ],
    ask: (path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n`),
  },
} satisfies Record<string, FloodRequest>

export async function startProxyTarget(workspace: Workspace): Promise<FloodTarget> {
  const { address, server } = await startApplication()
  const plain = { transport: 'plain' }
  const config = proxyConfig(plain, { endpoints: [address], ...plain }, { limits: { headTimeoutMs } })
  const image = await startImage('proxy', workspace, config)
  const entry = image.listeners['downstream'] as ListenerAddress
  return {
    name: 'proxy',
    attack: { address: entry, pem: undefined, request: floodRequests.proxy },
    entry,
    pid: image.pid,
    async stop() {
      await image.stop('SIGKILL')
      stopApplication(server)
    },
  }
}

export async function startTunnelTarget(workspace: Workspace): Promise<FloodTarget> {
  const { address, server } = await startApplication()
  const pair = await startTunnelPair(workspace, address, { limits: { handshakeTimeoutMs: headTimeoutMs } })
  const read = (file: string): string => readFileSync(join(workspace.dir, file), 'utf8')
  return {
    name: 'HBONE',
    attack: {
      address: pair.inbound.listeners['inbound'] as ListenerAddress,
      pem: { cert: read('client.crt'), key: read('client.key'), ca: read('client.ca') },
      request: floodRequests.HBONE,
    },
    entry: pair.entry,
    pid: pair.inbound.pid,
    async stop() {
      await pair.stop()
      stopApplication(server)
    },
  }
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}
