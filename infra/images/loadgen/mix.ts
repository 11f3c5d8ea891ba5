/** Which kinds of request a load has, and which of them each of its requests is. */
import { seededRandom, shuffle } from '../../../harness/protocol/random.js'
import type { RequestKind } from '../../../harness/protocol/spec.js'
import type { Spec } from './spec.js'

export type AskedKind = Omit<RequestKind, 'share'>

/** One without a body where the spec has no mix. */
export const kindsOf = ({ mix, payloadBytes }: Spec): readonly AskedKind[] =>
  mix ?? [{ requestBytes: 0, payloadBytes }]

/** Requests after which the order begins anew. */
const orderLength = 4096
/** Within so many, every kind has its share; their order is drawn, so that no connection gets one kind alone. */
const blockLength = 64

/**
 * Kinds by their place in the spec, for one request after the other. Each next one is of the kind that is furthest behind its
 * share, as nginx's smooth weighted round-robin has it: drawn at random, a second's requests would differ from the next one's
 * in what they move, and so would the arms that are compared.
 */
export function orderOf(spec: Pick<Spec, 'mix' | 'seed'>): Uint8Array {
  const { mix = [{ share: 1 }], seed } = spec
  const all = mix.reduce((sum, { share }) => sum + share, 0)
  const owed = mix.map(() => 0)
  const order = new Uint8Array(mix.length === 1 ? 1 : orderLength)
  for (let at = 0; at < order.length; at++) {
    mix.forEach(({ share }, kind) => (owed[kind] = (owed[kind] as number) + share / all))
    const next = owed.indexOf(Math.max(...owed))
    owed[next] = (owed[next] as number) - 1
    order[at] = next
  }
  const random = seededRandom(seed)
  for (let start = 0; start < order.length; start += blockLength)
    order.set(shuffle([...order.subarray(start, start + blockLength)], random), start)
  return order
}

/** What is sent as a request's body. */
export const bodyOf = (bytes: number): Buffer => Buffer.alloc(bytes, 'meshbench-')

/** Made once of each spec: all connections of a thread share what they send. */
export function onceFor<Made>(make: (spec: Spec) => Made): (spec: Spec) => Made {
  const made = new WeakMap<Spec, Made>()
  return (spec) => {
    const known = made.get(spec) ?? make(spec)
    made.set(spec, known)
    return known
  }
}
