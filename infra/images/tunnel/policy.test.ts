/** Who may reach an authority: the rules' precedence and each of their fields. */
import { describe, expect, it } from 'vitest'
import { parseSpiffeId } from '../kit/tls/spiffe.js'
import type { RuleConfig } from './config.js'
import { parseCidr } from './config.js'
import { type PolicyInput, permits } from './policy.js'

const input = (id = 'spiffe://bench.local/ns/bench/sa/client', address = '10.1.2.3'): PolicyInput => ({
  peer: parseSpiffeId(id),
  address,
  authority: 'server.bench:8080',
})
const allow = (rule: Partial<RuleConfig>): RuleConfig => ({ action: 'allow', ...rule })
const deny = (rule: Partial<RuleConfig>): RuleConfig => ({ action: 'deny', ...rule })

describe('permits', () => {
  it('allows everybody without rules, and nobody with an empty list', () => {
    expect(permits(undefined, input())).toBe(true)
    expect(permits([], input())).toBe(false)
  })

  it.each([
    ['principal', { principals: ['spiffe://bench.local/ns/bench/sa/client'] }, true],
    ['another principal', { principals: ['spiffe://bench.local/ns/bench/sa/other'] }, false],
    ['a prefix', { principals: ['spiffe://bench.local/ns/bench/*'] }, true],
    ['a longer principal', { principals: ['spiffe://bench.local/ns/bench/sa/client2'] }, false],
    ['namespace', { namespaces: ['other', 'bench'] }, true],
    ['another namespace', { namespaces: ['other'] }, false],
    ['address', { addresses: ['10.1.0.0/16'] }, true],
    ['another address', { addresses: ['10.2.0.0/16', '10.1.2.4'] }, false],
    ['port', { ports: [8080] }, true],
    ['another port', { ports: [80] }, false],
    ['all of its fields', { namespaces: ['bench'], ports: [80] }, false],
  ])('matches %s', (_title, rule, expected) => {
    expect(permits([allow(rule)], input())).toBe(expected)
    // A deny rule alone denies what it matches and allows the rest.
    expect(permits([deny(rule)], input())).toBe(!expected)
  })

  it('lets deny win over allow', () => {
    expect(permits([allow({}), deny({ namespaces: ['bench'] })], input())).toBe(false)
  })

  it('wants an allow rule to match when there is one', () => {
    expect(permits([allow({ ports: [80] }), deny({ namespaces: ['other'] })], input())).toBe(false)
  })

  it('sees an IPv4 address inside IPv6, and IPv6 blocks', () => {
    expect(permits([allow({ addresses: ['10.1.0.0/16'] })], input(undefined, '::ffff:10.1.2.3'))).toBe(true)
    expect(permits([allow({ addresses: ['fd00::/8'] })], input(undefined, 'fd00::1'))).toBe(true)
    expect(permits([allow({ addresses: ['fd00::/8'] })], input())).toBe(false)
  })
})

describe('parseCidr', () => {
  it.each(['10.0.0.0/33', 'fd00::/129', 'bench', '10.0.0.0/', '10.0.0.0/x'])('refuses %s', (block) => {
    expect(() => parseCidr(block)).toThrow('not an IP address or CIDR block')
  })
})
