/**
 * A service and its policy as nftables rules, as kube-proxy and a network policy have them: on the client's node the
 * service's address becomes the pod's, on the server's node only the client may open connections to it.
 */

/** Port of the service; its address has none of its own. */
export const servicePort = 8080

export const table = 'meshbench'

export interface ServiceRules {
  readonly service: string
  readonly server: { readonly address: string; readonly port: number }
  readonly clientAddress: string
}

/** Lines of nft(8) for the client's node. */
export function serviceLines({ service, server }: ServiceRules): readonly string[] {
  return [
    `table ip ${table} {`,
    '  counter connections { }',
    '  chain services {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    // A chain of type nat sees the first packet of a connection alone: this counts connections.
    `    ip daddr ${service} tcp dport ${servicePort} counter name connections dnat to ${server.address}:${server.port}`,
    '  }',
    '}',
  ]
}

/** Lines of nft(8) for the server's node. */
export function policyLines({ server, clientAddress }: ServiceRules): readonly string[] {
  return [
    `table ip ${table} {`,
    '  counter allowed { }',
    '  counter denied { }',
    '  chain clients {',
    '    type filter hook forward priority filter; policy accept;',
    '    ct state established,related accept',
    `    ip daddr ${server.address} tcp dport ${server.port} ip saddr ${clientAddress} counter name allowed accept`,
    `    ip daddr ${server.address} tcp dport ${server.port} counter name denied drop`,
    '  }',
    '}',
  ]
}

/** Packets of each named counter, from what `nft list counters` prints. */
export function readCounters(text: string): Readonly<Record<string, number>> {
  const found = text.matchAll(/counter (\w+) \{\s*packets (\d+)/g)
  return Object.fromEntries([...found].map(([, name = '', packets]) => [name, Number(packets)]))
}
