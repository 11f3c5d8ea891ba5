/** CIDR blocks of authorization rules, read once for the config's check and once for the policy. */
import { isIP } from 'node:net'

/** Throws for anything that is not an IP address or `address/bits`. */
export function parseCidr(block: string): { network: string; bits: number; family: 'ipv4' | 'ipv6' } {
  const [network = '', suffix] = block.split('/')
  const version = isIP(network)
  const widest = version === 6 ? 128 : 32
  const bits = suffix === undefined ? widest : /^\d{1,3}$/.test(suffix) ? Number(suffix) : NaN
  if (version === 0 || !(bits <= widest)) throw new Error(`${block} is not an IP address or CIDR block`)
  return { network, bits, family: version === 6 ? 'ipv6' : 'ipv4' }
}
