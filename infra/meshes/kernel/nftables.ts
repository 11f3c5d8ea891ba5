/** L4 as rules of nftables have it: DNAT and connection tracking for a service, filters for its policy. */
import { z } from 'zod'
import type { EnvironmentRequest, ProofCheck } from '../../../harness/model.js'
import type { ArmNetwork, Stack } from './arm-network.js'
import { countCheck, createKernelMesh } from './kernel-mesh.js'
import { unmetRules } from './needs.js'
import { policyLines, readCounters, serviceLines, table } from './rules.js'
import { findWireguard, joinByWireguard, unmetWireguard, wireguardFact } from './wireguard.js'

const encrypted = 'l4-kernel-wireguard'

const isEncrypted = ({ arms }: EnvironmentRequest) =>
  arms.some(({ mesh, path }) => mesh === 'nftables' && path === encrypted)

export const nftables = createKernelMesh({
  name: 'nftables',
  summary: "the kernel's own L4: service addresses and policy in nftables, no process on the way",
  joins: { [encrypted]: joinByWireguard },
  async facts(request) {
    const rules = {
      name: 'nftables',
      value: 'DNAT on the client’s node, allow and deny on the server’s node',
    }
    return isEncrypted(request) ? [rules, wireguardFact(await findWireguard())] : [rules]
  },
  check: async (request) => [
    ...(await unmetRules()),
    ...(isEncrypted(request) ? await unmetWireguard() : []),
  ],
  settings: z.strictObject({
    policy: z
      .boolean()
      .optional()
      .describe('only the client may open connections to the server; false: everybody who knows the service'),
  }),
  async serve(network, rules, _context, { policy = true }) {
    const { client, server } = network.nodes
    await client.nft(serviceLines(rules))
    if (policy) await server.nft(policyLines(rules))
    const countersOf = async (node: Stack) =>
      readCounters(await node.run(['nft', 'list', 'counters', 'table', 'ip', table]))
    return {
      ...(policy ? {} : { policy: 'none' as const }),
      async read() {
        const { connections = 0 } = await countersOf(client)
        if (!policy) return { translated: connections, allowed: 0, denied: 0 }
        const { allowed = 0, denied = 0 } = await countersOf(server)
        return { translated: connections, allowed, denied }
      },
      prove: () => proveTracking(network),
    }
  },
})

/** Connection tracking knows the connection by the service's address. */
async function proveTracking({ nodes, serviceAddress }: ArmNetwork): Promise<readonly ProofCheck[]> {
  const tracked = await nodes.client.run(['cat', '/proc/net/nf_conntrack']).catch(() => '')
  const found = tracked.split('\n').filter((line) => line.includes(`dst=${serviceAddress} `)).length
  return [countCheck('tracked connections to the service', 'at least 1', found, found >= 1)]
}
