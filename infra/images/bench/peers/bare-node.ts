/** The floor of what can be reached on Node: hops that only copy, plain or with mutual TLS between two, without a pool. */
import { fileURLToPath } from 'node:url'
import { bundleSource } from '../../bundles.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import type { Workspace } from '../../kit/testing.js'
import type { CopyingNodeConfig } from './copying-node.js'
import { createPeerFiles } from './peer-files.js'
import { type Peer, freePort, startNode } from './programs.js'
import { type Subject, oneHop, twoHops } from './subject.js'

const source = fileURLToPath(new URL('copying-node.ts', import.meta.url))

async function startCopying(workspace: Workspace, config: Omit<CopyingNodeConfig, 'at'>): Promise<Peer> {
  const program = workspace.write('copying-node.mjs', await bundleSource(source))
  const at: ListenerAddress = { host: '127.0.0.1', port: await freePort() }
  return startNode([program, JSON.stringify({ at, ...config } satisfies CopyingNodeConfig)], at.port)
}

export const bareNode: Subject = {
  name: 'bare Node',
  isFloor: true,
  start: async (workspace, to) => oneHop(await startCopying(workspace, { to })),
}

export const bareNodeMtls: Subject = {
  name: 'bare Node mTLS',
  isFloor: true,
  async start(workspace, to) {
    const { client, server } = await createPeerFiles(workspace, 'bare-node')
    const inbound = await startCopying(workspace, { to, server })
    const outbound = await startCopying(workspace, { to: inbound.address, client })
    return twoHops(outbound, inbound)
  },
}
