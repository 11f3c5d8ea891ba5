/** L4 authorization: who may reach an authority, by principal, namespace, address and port. */
import { BlockList, isIP } from 'node:net'
import type { SpiffeId } from '../kit/tls/spiffe.js'
import { type RuleConfig, parseCidr } from './config.js'

export interface PolicyInput {
  /** Absent where the peer showed no certificate: it has no principal and no namespace. */
  readonly peer: SpiffeId | undefined
  /** IP address of the peer hop. */
  readonly address: string
  /** `host:port` that the peer asked for. */
  readonly authority: string
}

/**
 * Deny rules win. With at least one allow rule, one of them must match; without any, what is not denied is allowed.
 * No rules at all allow everybody that the trust domain vouches for (the order of Istio's AuthorizationPolicy).
 */
export function permits(rules: readonly RuleConfig[] | undefined, input: PolicyInput): boolean {
  if (!rules) return true
  const hits = (action: RuleConfig['action']) =>
    rules.some((rule) => rule.action === action && matches(rule, input))
  if (hits('deny')) return false
  // An empty list allows nobody.
  return rules.length > 0 && rules.every(({ action }) => action === 'deny') ? true : hits('allow')
}

function matches(rule: RuleConfig, { peer, address, authority }: PolicyInput): boolean {
  if (rule.principals && !(peer && rule.principals.some((pattern) => matchesPattern(pattern, peer.id))))
    return false
  if (rule.namespaces && !(peer?.namespace !== undefined && rule.namespaces.includes(peer.namespace)))
    return false
  if (rule.ports && !rule.ports.includes(Number(authority.slice(authority.lastIndexOf(':') + 1))))
    return false
  if (rule.addresses && !matchesAddress(rule.addresses, address)) return false
  return true
}

function matchesPattern(pattern: string, id: string): boolean {
  return pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : pattern === id
}

/** Parsed CIDR blocks by rule: building a list per request would cost more than the check. */
const lists = new WeakMap<readonly string[], BlockList>()

function matchesAddress(blocks: readonly string[], address: string): boolean {
  let list = lists.get(blocks)
  if (!list) {
    list = new BlockList()
    for (const block of blocks) {
      const { network, bits, family } = parseCidr(block)
      list.addSubnet(network, bits, family)
    }
    lists.set(blocks, list)
  }
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
  const version = isIP(mapped)
  return version !== 0 && list.check(mapped, version === 6 ? 'ipv6' : 'ipv4')
}
