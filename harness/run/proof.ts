/**
 * Decides whether traffic took the path that an arm claims. A label proves nothing: a bypassed mesh measures as cheap.
 *
 * Judges counters read before the generator started and after the window ended, both with nothing in flight.
 */
import { isConnect, securityOf } from '../model/paths.js'
import type {
  Arm,
  Component,
  HopCounter,
  HopCounters,
  LoadSpec,
  Path,
  ProofCheck,
  Security,
} from '../model.js'

/** What one trial sent, from before its warm-up to the end of its window. */
export interface TrialTraffic {
  /** Requests sent in warm-up and window. */
  readonly requests: number
  /** Most requests beyond these that the engine may have sent without counting them. */
  readonly uncounted?: number
  readonly connections: number
}

export interface ProofInput {
  readonly arm: Arm
  readonly path: Path
  readonly load: LoadSpec
  /** Copies of the path that the load is shared by, each with pools of its own; absent: one. */
  readonly carriers?: number
  readonly traffic: TrialTraffic
  /** All components of the environment. */
  readonly components: readonly Component[]
  readonly before: Readonly<Record<string, HopCounters>>
  readonly after: Readonly<Record<string, HopCounters>>
  /** Streams that one HBONE connection carries; what C8 is about. */
  readonly maxStreamsPerConnection: number
}

/** Statements about one trial, each with what was expected and what was seen. */
export function judgeTrial(input: ProofInput): readonly ProofCheck[] {
  const { arm, path, components } = input
  const checks: ProofCheck[] = []
  for (const [index, hop] of path.hops.entries()) {
    const component = components.find((other) => other.arm === arm.id && other.hop === hop.name)
    if (!component) continue
    const moved = delta(input, component.name)
    if (!moved) {
      checks.push(notRead(hop.name))
      continue
    }
    checks.push(...judgeHop(input, index, moved))
    const downstreamEncrypted = isEncrypted(path, index)
    const upstreamEncrypted = isEncrypted(path, index + 1)
    if (downstreamEncrypted)
      checks.push(...judgeHandshakes(input, hop.name, 'tlsHandshakesServer', index, moved))
    if (upstreamEncrypted)
      checks.push(...judgeHandshakes(input, hop.name, 'tlsHandshakesClient', index + 1, moved))
    if (arm.transport === 'plain' && !downstreamEncrypted && !upstreamEncrypted)
      checks.push(judgePlaintext(hop.name, moved))
    checks.push(...judgePeers(hop.name, path, index, input.after[component.name]?.peers))
  }
  checks.push(...judgeRules(input), ...judgeServices(input), ...judgeApplication(input))
  checks.push(...judgeBystanders(input))
  return checks
}

/** Who has proved who it is: with mutual TLS either side of a leg, with TLS the hop that was dialled. */
function judgePeers(
  hop: string,
  path: Path,
  index: number,
  peers: readonly string[] | undefined,
): ProofCheck[] {
  const [before, after] = [securityAt(path, index), securityAt(path, index + 1)]
  if (before === 'plain' && after === 'plain') return []
  const actual = peers?.join(', ') ?? 'none'
  if (before === 'tls' && after === 'plain')
    return [
      { name: `no identity of a client at ${hop}`, ok: (peers ?? []).length === 0, expected: 'none', actual },
    ]
  if (!peers) return []
  return [
    {
      name: `peer identity at ${hop}`,
      ok: peers.length > 0 && peers.every((peer) => peer.startsWith('spiffe://')),
      expected: 'a SPIFFE id',
      actual: actual || 'none',
    },
  ]
}

/** What its path would encrypt, and the arm does not, has to be so. */
function judgePlaintext(hop: string, moved: Moved): ProofCheck {
  const value = (moved.tlsHandshakesServer ?? 0) + (moved.tlsHandshakesClient ?? 0)
  return atLeastAndMost(`TLS handshakes at ${hop}`, { min: 0, max: 0, value })
}

/** L4 of the kernel where no hop stands: each connection has passed its rules once, and each body its tunnel. */
function judgeRules(input: ProofInput): ProofCheck[] {
  const { connections } = input.traffic
  return input.components
    .filter(({ arm, hop, category }) => arm === input.arm.id && hop === undefined && category === 'l4')
    .map(({ name }) => {
      const moved = delta(input, name)
      const value = moved?.downstreamConnections
      const bytes = moved && judgeBytes(input, name, moved)
      if (bytes) return bytes
      return value === undefined
        ? notRead(name)
        : atLeastAndMost(`connections at ${name}`, { min: connections, max: connections, value })
    })
}

/**
 * What functions call was asked once for each request by each L7 hop: a function that asks nobody, or keeps the answer, would
 * be cheap. Copies of requests come after the answers, and may be left out when too many are under way. An issuer's
 * keys are kept: a token that passes is the proof that they were fetched, since a hop has no others.
 */
function judgeServices(input: ProofInput): ProofCheck[] {
  const { traffic, load, path, arm } = input
  if (load.protocol === 'tcp') return []
  const callers = path.hops.filter(({ layer }) => layer === 'l7').length
  const { requests, uncounted = 0 } = traffic
  return input.components
    .filter((component) => component.arm === arm.id)
    .filter(({ service }) => service !== undefined && service !== 'issuer')
    .map(({ name, service }) => {
      const value = delta(input, name)?.requests
      if (value === undefined) return notRead(name)
      const max = (requests + uncounted) * callers
      const min = service === 'mirror' ? Math.min(1, max) : requests * callers
      return atLeastAndMost(`requests at ${name}`, { min, max, value })
    })
}

/** The application answered what was sent; only requests say so, since raw TCP has none. */
function judgeApplication(input: ProofInput): ProofCheck[] {
  if (input.load.protocol === 'tcp') return []
  const applications = input.components.filter(({ category }) => category === 'application')
  const own = applications.filter(({ arm }) => arm === input.arm.id)
  // One that is shared serves the arms that have none of their own.
  return (own.length > 0 ? own : applications.filter(({ arm }) => arm === undefined)).flatMap(({ name }) => {
    const moved = delta(input, name)
    return moved?.requests === undefined
      ? []
      : [countOf(`requests at ${name}`, input.traffic, moved.requests)]
  })
}

function judgeHop(input: ProofInput, index: number, moved: Moved): ProofCheck[] {
  const { traffic, load, path } = input
  const { name: hop = '', layer } = path.hops[index] ?? {}
  const checks: ProofCheck[] = []
  if (layer === 'l7' && load.protocol !== 'tcp' && moved.requests !== undefined) {
    checks.push(countOf(`requests at ${hop}`, traffic, moved.requests))
  }
  if (layer === 'l4' && moved.downstreamConnections !== undefined) {
    checks.push(
      atLeastAndMost(`connections at ${hop}`, {
        ...connectionRange(input, index),
        value: moved.downstreamConnections,
      }),
    )
  }
  const bytes = judgeBytes(input, hop, moved)
  return bytes ? [...checks, bytes] : checks
}

/** Every request and its reply pass: their replies' bodies are the least that can have been carried, of a mix its smallest. Undefined where none are counted. */
function judgeBytes({ traffic, load }: ProofInput, name: string, moved: Moved): ProofCheck | undefined {
  if (moved.receivedBytes === undefined && moved.sentBytes === undefined) return undefined
  const bytes = (moved.receivedBytes ?? 0) + (moved.sentBytes ?? 0)
  const smallest = Math.min(...(load.mix ?? [load]).map(({ payloadBytes }) => payloadBytes))
  const least = traffic.requests * smallest
  return {
    name: `bytes through ${name}`,
    ok: bytes > 0 && bytes >= least,
    expected: `at least ${least}`,
    actual: String(bytes),
  }
}

/**
 * Connections that reach an L4 hop: with nothing but L4 before it, one for each of the client's; behind an L7 hop,
 * what that pools, which may be kept from an earlier trial and is no more than the client has.
 */
function connectionRange(input: ProofInput, index: number): { min: number; max: number } {
  const { connections } = input.traffic
  const behindL7 = input.path.hops.slice(0, index).some(({ layer }) => layer === 'l7')
  return { min: behindL7 ? 0 : connections, max: connections }
}

/**
 * Handshakes on an encrypted leg. HBONE carries up to `maxStreamsPerConnection` connections over one TLS connection
 * and keeps it between trials; a sidecar's mutual TLS pool needs at most one for each of the client's connections.
 */
function judgeHandshakes(
  input: ProofInput,
  hop: string,
  counter: 'tlsHandshakesServer' | 'tlsHandshakesClient',
  leg: number,
  moved: Moved,
): ProofCheck[] {
  const value = moved[counter]
  if (value === undefined) return []
  const { connections } = input.traffic
  const { carriers = 1 } = input
  const most = isConnect(input.path.legs[leg] ?? 'plain')
    ? carriers * Math.ceil(connections / carriers / input.maxStreamsPerConnection)
    : connections
  const component = input.components.find((other) => other.arm === input.arm.id && other.hop === hop)
  const before = component ? (input.before[component.name]?.[counter] ?? 0) : 0
  // Nothing was pooled before the first trial, so it must have shaken hands.
  const least = before === 0 && connections > 0 ? 1 : 0
  const kind = securityAt(input.path, leg) === 'tls' ? 'TLS' : 'mTLS'
  const side = counter === 'tlsHandshakesServer' ? 'accepted by' : 'made by'
  return [atLeastAndMost(`${kind} handshakes ${side} ${hop}`, { min: least, max: most, value })]
}

/** Hops of other arms must not have moved. */
function judgeBystanders(input: ProofInput): ProofCheck[] {
  const ownProcesses = new Set(
    input.components.filter(({ arm }) => arm === input.arm.id).map(({ process }) => process),
  )
  const moved = input.components
    .filter((component) => component.hop !== undefined && component.arm !== input.arm.id)
    .filter(({ process }) => process === undefined || !ownProcesses.has(process))
    .filter(({ name }) => {
      const change = delta(input, name)
      return (change?.requests ?? 0) > 0 || (change?.downstreamConnections ?? 0) > 0
    })
    .map(({ name }) => name)
  return [
    {
      name: 'hops off the path stand still',
      ok: moved.length === 0,
      expected: 'no traffic elsewhere',
      actual: moved.length === 0 ? 'none' : `traffic at ${moved.join(', ')}`,
    },
  ]
}

type Moved = Partial<Record<HopCounter, number>>

/** What a component's counters rose by; undefined when it was not read at both ends. */
function delta(input: ProofInput, component: string): Moved | undefined {
  const before = input.before[component]
  const after = input.after[component]
  if (!before || !after) return undefined
  const moved: Moved = {}
  for (const [key, value] of Object.entries(after)) {
    if (typeof value === 'number') moved[key as HopCounter] = value - (before[key as HopCounter] ?? 0)
  }
  return moved
}

function securityAt({ legs }: Path, leg: number): Security {
  return securityOf(legs[leg] ?? 'plain')
}

function isEncrypted(path: Path, leg: number): boolean {
  return securityAt(path, leg) !== 'plain'
}

/** To the request, but for what an engine cannot count. */
function countOf(name: string, { requests, uncounted = 0 }: TrialTraffic, value: number): ProofCheck {
  return atLeastAndMost(name, { min: requests, max: requests + uncounted, value })
}

const notRead = (name: string): ProofCheck => ({
  ...{ name: `counters of ${name}`, ok: false, expected: 'readable', actual: 'not read' },
})

function atLeastAndMost(
  name: string,
  { min, max, value }: { min: number; max: number; value: number },
): ProofCheck {
  return {
    name,
    ok: value >= min && value <= max,
    expected: min === max ? String(min) : `${min} to ${max}`,
    actual: String(value),
  }
}
