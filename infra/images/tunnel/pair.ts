/** Two tunnels in a row as tests and benches want them: client → outbound → HBONE → inbound → upstream. */
import {
  type RunningImage,
  type WorkloadFiles,
  type Workspace,
  createTestAuthority,
  startImage,
  trustDomain,
  writeWorkload,
} from '../kit/testing.js'
import type { ListenerAddress } from '../kit/net/address.js'

/** What both ends call the server. */
export const pairAuthority = 'server.bench:8080'

export interface TunnelPair {
  readonly outbound: RunningImage
  readonly inbound: RunningImage
  readonly entry: ListenerAddress
  stop(signal?: NodeJS.Signals): Promise<void>
}

const local = { host: '127.0.0.1', port: 0 }
const configOf = <L>(workload: WorkloadFiles, listener: L) => ({
  ...{ admin: local, trustDomain, workloads: [workload], listeners: [listener] },
})

/** Config of a tunnel whose listener `outbound` carries TCP to `via`, where it wants to meet `expect`. */
export const outboundConfig = (client: WorkloadFiles, via: ListenerAddress, expect: string) =>
  configOf(client, {
    ...{ kind: 'capture', name: 'outbound', ...local, source: client.spiffeId },
    destination: { authority: pairAuthority, via, expect: [expect] },
  })

/** Config of a tunnel whose listener `inbound` ends HBONE and connects to `upstream`. */
export const inboundConfig = (server: WorkloadFiles, { host, port }: ListenerAddress) =>
  configOf(server, {
    ...{ kind: 'hbone', name: 'inbound', ...local },
    routes: [{ authority: pairAuthority, workload: server.spiffeId, to: { host, port } }],
  })

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
  const { pool = {}, limits = {}, nodeArguments = [] } = options
  const start = (config: Record<string, unknown>): Promise<RunningImage> =>
    startImage('tunnel', workspace, { ...config, pool, limits }, { nodeArguments })
  const inbound = await start(inboundConfig(server, upstream))
  const via = inbound.listeners['inbound'] as ListenerAddress
  const outbound = await start(outboundConfig(client, via, server.spiffeId))
  return {
    outbound,
    inbound,
    entry: outbound.listeners['outbound'] as ListenerAddress,
    async stop(signal = 'SIGKILL') {
      await outbound.stop(signal)
      await inbound.stop(signal)
    },
  }
}
