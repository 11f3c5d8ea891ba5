/**
 * L4 as the kernel does it by itself: a service's address and a policy in nftables and connection tracking. No process is on
 * the way, so that what it costs is kernel time in the application, the generator and the host's remainder.
 */
import type { Arm, Component, Mesh, MeshSession, ProofCheck, RaisedArm } from '../../../harness/model.js'
import { endpointOf } from '../hops/hop-mesh.js'
import { readReferenceCounters } from '../reference/counters.js'
import { serviceAuthority } from '../reference/names.js'
import { unmetRules } from './needs.js'
import { namespacesOf, type ArmNetwork, type NamespaceHost, type Pod } from './arm-network.js'
import { policyLines, readCounters, serviceLines, servicePort, table, type ServiceRules } from './rules.js'

export const nftables: Mesh = {
  name: 'nftables',
  summary: "the kernel's own L4: service addresses and policy in nftables, no process on the way",
  paths: ['l4-kernel'],
  livesOn: 'namespaces',
  check: () => unmetRules(),
  install({ host }): Promise<MeshSession> {
    const namespaces = namespacesOf(host)
    return Promise.resolve({
      facts: [{ name: 'nftables', value: 'DNAT on the client’s node, allow and deny on the server’s node' }],
      components: [],
      raise: (arm, path) => raise(namespaces, arm, path),
    })
  },
}

async function raise(
  host: NamespaceHost,
  arm: Arm,
  path: Parameters<MeshSession['raise']>[1],
): Promise<RaisedArm> {
  const network = await host.networkFor(arm)
  const application = await host.startApplication(arm, path)
  const http = endpointOf(application, 'http')
  const client = await network.pod('client', 'client')
  const rules: ServiceRules = {
    service: network.serviceAddress,
    server: { address: http.host, port: http.port },
    clientAddress: client.address,
  }
  await network.nodes.client.nft(serviceLines(rules))
  await network.nodes.server.nft(policyLines(rules))
  const component: Component = { name: `${arm.id}/rules`, arm: arm.id, category: 'l4', node: 'client' }
  return {
    endpoint: { host: rules.service, port: servicePort, authority: serviceAuthority },
    application: application.component,
    components: [component],
    async readCounters(name) {
      if (name !== component.name) return readReferenceCounters(await host.fetchAdmin(name, '/metrics'))
      return { downstreamConnections: (await countersOf(network, 'client')).connections ?? 0 }
    },
    prove: () => prove(network, client),
  }
}

async function countersOf(network: ArmNetwork, node: 'client' | 'server') {
  return readCounters(await network.nodes[node].run(['nft', 'list', 'counters', 'table', 'ip', table]))
}

/** Prints the status of one request, or why there was none. */
const ask = (url: string) => [
  process.execPath,
  '-e',
  `fetch('${url}',{signal:AbortSignal.timeout(1500)}).then(r=>console.log('status',r.status),e=>console.log('failed',e.cause?.code??e.name))`,
]

/** The client is answered through the rules, a stranger is dropped by them, and connection tracking says both. */
async function prove(network: ArmNetwork, client: Pod): Promise<readonly ProofCheck[]> {
  const url = `http://${network.serviceAddress}:${servicePort}/echo?size=1`
  const read = async () => ({
    ...(await countersOf(network, 'client')),
    ...(await countersOf(network, 'server')),
  })
  const before = await read()
  const answered = (await client.namespace.run(ask(url))).trim()
  const between = await read()
  const tracked = await network.nodes.client.run(['cat', '/proc/net/nf_conntrack']).catch(() => '')
  const stranger = await network.pod('client', 'stranger')
  const refused = (await stranger.namespace.run(ask(url))).trim()
  const after = await read()
  const rose = (name: string, from: Readonly<Record<string, number>>, to: typeof from) =>
    (to[name] ?? 0) - (from[name] ?? 0)
  const count = (name: string, expected: string, value: number, ok: boolean): ProofCheck => ({
    name,
    ok,
    expected,
    actual: String(value),
  })
  const translated = rose('connections', before, between)
  const allowed = rose('allowed', before, between)
  const denied = rose('denied', between, after)
  const entries = tracked.split('\n').filter((line) => line.includes(`dst=${network.serviceAddress} `))
  return [
    {
      name: 'request to the service',
      ok: answered === 'status 200',
      expected: 'status 200',
      actual: answered,
    },
    count('connections translated by the rule', '1', translated, translated === 1),
    count('connections allowed by the policy', '1', allowed, allowed === 1),
    count('tracked connections to the service', 'at least 1', entries.length, entries.length >= 1),
    {
      name: 'a stranger is dropped',
      ok: refused.startsWith('failed'),
      expected: 'no answer',
      actual: refused,
    },
    count('packets denied by the policy', 'at least 1', denied, denied >= 1),
  ]
}
