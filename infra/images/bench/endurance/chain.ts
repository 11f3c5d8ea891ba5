/** The paths that endurance runs go: tunnels alone, or with the proxy as a waypoint between them. */
import type { ListenerAddress } from '../../kit/net/address.js'
import {
  type RunningImage,
  type Workspace,
  createTestAuthority,
  startImage,
  trustDomain,
  writeWorkload,
} from '../../kit/testing.js'
import { inboundConfig, outboundConfig, pairAuthority } from '../../tunnel/pair.js'
import { proxyConfig } from '../proxy-config.js'

export const chainPaths = ['l4-l7-l4', 'l4'] as const
export type ChainPath = (typeof chainPaths)[number]

export interface Chain {
  /** From the client's end to the server's. */
  readonly hops: readonly { readonly name: string; readonly image: RunningImage }[]
  readonly entry: ListenerAddress
  /** New certificates for every workload, on disk: the hops have to see it themselves. */
  rotate(): Promise<void>
  /** Another config for every hop, on disk. */
  reload(): void
  stop(): Promise<void>
}

export async function startChain(
  workspace: Workspace,
  upstream: ListenerAddress,
  path: ChainPath,
  /** What the waypoint speaks to the server. */
  { protocol = 'http1' }: { readonly protocol?: 'http1' | 'h2' } = {},
): Promise<Chain> {
  const authority = await createTestAuthority()
  const names = path === 'l4' ? ['client', 'server'] : ['client', 'waypoint', 'server']
  const write = (name: string) => writeWorkload(workspace, authority, name)
  const workloads = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await write(name)] as const)),
  )
  const files: Files = (name) => workloads[name] as ReturnType<Files>
  const hops: { readonly name: string; readonly image: RunningImage }[] = []
  const configs = new Map<string, Record<string, unknown>>()
  const start = async (
    image: 'tunnel' | 'proxy',
    name: string,
    listener: string,
    config: Record<string, unknown>,
  ): Promise<ListenerAddress> => {
    const configName = `${name}.json`
    configs.set(configName, config)
    const started = await startImage(image, workspace, config, { configName })
    hops.unshift({ name, image: started })
    return started.listeners[listener] as ListenerAddress
  }
  let via = await start('tunnel', 'server', 'inbound', inboundConfig(files('server'), upstream))
  if (path === 'l4-l7-l4') {
    const config = waypointConfig(files, via, protocol)
    via = await start('proxy', 'waypoint', 'downstream', config)
  }
  const next = path === 'l4' ? 'server' : 'waypoint'
  const entry = await start(
    'tunnel',
    'client',
    'outbound',
    outboundConfig(files('client'), via, files(next).spiffeId),
  )
  let reloads = 0
  return {
    hops,
    entry,
    async rotate() {
      for (const name of names) await write(name)
    },
    reload() {
      reloads += 1
      for (const [name, config] of configs) {
        workspace.write(name, JSON.stringify({ ...config, drainMs: 10_000 + reloads }))
      }
    },
    async stop() {
      for (const { image } of hops) await image.stop('SIGKILL')
    },
  }
}

type Files = (name: string) => Awaited<ReturnType<typeof writeWorkload>>

function waypointConfig(files: Files, via: ListenerAddress, protocol: 'http1' | 'h2') {
  return proxyConfig(
    { transport: 'hbone', expect: [files('client').spiffeId], authorities: [pairAuthority] },
    {
      endpoints: [{ host: via.host, port: via.port }],
      transport: 'hbone',
      protocol,
      expect: [files('server').spiffeId],
      authority: pairAuthority,
    },
    { trustDomain, identity: files('waypoint') },
  )
}
