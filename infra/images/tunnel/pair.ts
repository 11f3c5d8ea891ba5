/** Two tunnels in a row as tests and benches want them: client → outbound → HBONE → inbound → upstream. */
import {
  type RunningImage,
  type Workspace,
  createTestAuthority,
  spiffe,
  startImage,
  trustDomain,
  writeWorkload,
} from '../shared/testing.js'
import type { ListenerAddress } from '../shared/image.js'

export interface TunnelPair {
  readonly outbound: RunningImage
  readonly inbound: RunningImage
  readonly entry: ListenerAddress
  stop(): Promise<void>
}

/** Starts both tunnels. `upstream` is where the inbound one connects to. */
export async function startTunnelPair(
  workspace: Workspace,
  upstream: ListenerAddress,
  options: {
    readonly pool?: Record<string, unknown>
    readonly limits?: Record<string, unknown>
    readonly nodeArguments?: readonly string[]
  } = {},
): Promise<TunnelPair> {
  const authority = await createTestAuthority()
  const client = await writeWorkload(workspace, authority, 'client')
  const server = await writeWorkload(workspace, authority, 'server')
  const shared = {
    admin: { host: '127.0.0.1', port: 0 },
    trustDomain,
    pool: options.pool ?? {},
    limits: options.limits ?? {},
  }
  const processOptions = options.nodeArguments ? { nodeArguments: options.nodeArguments } : {}
  const inbound = await startImage(
    'tunnel',
    workspace,
    {
      ...shared,
      workloads: [server],
      listeners: [
        {
          kind: 'hbone',
          name: 'inbound',
          host: '127.0.0.1',
          port: 0,
          routes: [
            {
              authority: 'server.bench:8080',
              workload: spiffe('server'),
              to: { host: upstream.host, port: upstream.port },
            },
          ],
        },
      ],
    },
    processOptions,
  )
  const via = inbound.listeners['inbound'] as ListenerAddress
  const outbound = await startImage(
    'tunnel',
    workspace,
    {
      ...shared,
      workloads: [client],
      listeners: [
        {
          kind: 'capture',
          name: 'outbound',
          host: '127.0.0.1',
          port: 0,
          source: spiffe('client'),
          destination: { authority: 'server.bench:8080', via, expect: [spiffe('server')] },
        },
      ],
    },
    processOptions,
  )
  return {
    outbound,
    inbound,
    entry: outbound.listeners['outbound'] as ListenerAddress,
    async stop() {
      await outbound.stop('SIGKILL')
      await inbound.stop('SIGKILL')
    },
  }
}
