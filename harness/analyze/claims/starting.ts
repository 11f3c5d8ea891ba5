/** Rules of the claims on what a start brings with it: C7 on that of a workload, C9 on that of a connection. */
import { firstAdded, firstLoads, firstLost } from '../../../scenarios/experiments/first-packet.js'
import { outages, readiness, startLoads, unserved } from '../../../scenarios/experiments/startup.js'
import { withInterval } from '../words.js'
import { byActs, type Acts } from './acts.js'
import { decide, type Bounds, type Decision } from './decision.js'
import { concluded, wanting, type Conclusion } from './finding.js'

export const startLimits = {
  /** C7, in ms: a client that tries again commonly does so after 25 ms, which hides what is shorter. */
  race: 25,
  /** C9: of first packets, those that are lost at least. */
  lost: 0.5,
}

/**
 * What is decided of C7: by what each architecture leaves unserved or lets through in the clear, where nothing is found if
 * nothing of the path starts. One that leaks a client's plaintext past a hop that was away has a race, however short; where
 * nobody could look, that is undefined.
 */
export function verdictOfC7(
  own: Bounds,
  shared: Bounds,
  nulls: readonly Bounds[],
  leaks: { readonly own?: boolean | undefined; readonly shared?: boolean | undefined } = {},
): Decision {
  const isNullQuiet = nulls.length > 0 && nulls.every((none) => decide(none, startLimits.race) === 'refuted')
  if (!isNullQuiet) return 'inconclusive'
  const race = leaks.own ? 'supported' : decide(own, startLimits.race)
  const none = leaks.shared ? 'supported' : decide(shared, startLimits.race)
  if (race === 'refuted' || none === 'supported') return 'refuted'
  return race === 'supported' && none === 'refuted' ? 'supported' : 'inconclusive'
}

/** What a look at the packets is called while the hop is away that the client is led to; see infra/meshes/kernel/wire.ts. */
const awayCheck = 'plaintext while the first hop is away'

function leakOf(looks: readonly string[]): boolean | undefined {
  if (looks.includes('clear')) return true
  return looks.length > 0 && looks.every((seen) => seen === 'none') ? false : undefined
}

/** Of the claim what takes a look at packets: where the kernel leads to hops, else it says what would decide it. */
function plaintext(
  path: string,
  leak: boolean | undefined,
  other: string,
  otherLeak: boolean | undefined,
): string {
  if (leak === undefined || otherLeak === undefined)
    return 'Plaintext is not decidable here: applications are led to the hop and to nothing else; platform netns decides it, with capture: redirect in meshSettings and tcpdump on the PATH.'
  const found = (leaks: boolean) => (leaks ? 'some' : 'none')
  return `While the first hop was away, of a client’s plaintext ${found(leak)} reached the server’s node on ${path} and ${found(otherLeak)} on ${other}, by the packets.`
}

const sidecars = 'l7-sidecar-to-sidecar'
const nodePaths = ['l4-only', 'l4-l7-l4', 'l7-per-node']

export const judgeC7 = byActs((acts) => {
  const at = (path: string, load: string) => ({ load, path })
  const own = acts.value(at(sidecars, startLoads.together), unserved)
  const nodePath = nodePaths.find((path) => acts.value(at(path, startLoads.together), unserved))
  const shared = nodePath && acts.value(at(nodePath, startLoads.together), unserved)
  if (!own || !shared) return undefined
  const nulls = [sidecars, nodePath].flatMap(
    (path) => acts.value(at(path, startLoads.nothing), unserved) ?? [],
  )
  const leaks = {
    own: leakOf(acts.seen(sidecars, awayCheck)),
    shared: leakOf(acts.seen(nodePath, awayCheck)),
  }
  const verdict = verdictOfC7(own, shared, nulls, leaks)
  const native = acts.value(at(sidecars, startLoads.before), unserved)
  const ready = acts.value(at(sidecars, startLoads.before), readiness)
  const waited =
    native && ready
      ? ` One that waits for its sidecar went unserved for ${withInterval(native, 'ms')} and starts ${withInterval(ready, 'ms')} later.`
      : ''
  const stretches = acts.value(at(sidecars, startLoads.together), outages)
  const apart =
    stretches && stretches.value > 1
      ? ` in ${withInterval(stretches, '')} stretches, between which it was answered`
      : ''
  return concluded(
    verdict,
    `${acts.setting} an application that starts with its sidecar went unserved for ${withInterval(own, 'ms')}${apart}, one whose node has the component already (${nodePath}) for ${withInterval(shared, 'ms')}; a race is what lasts ${startLimits.race} ms or more.${waited} ${plaintext(sidecars, leaks.own, nodePath, leaks.shared)}`,
    [
      ['time unserved of an application that starts with its sidecar', own],
      [`time unserved where the node has the component already (${nodePath})`, shared],
      ['time unserved of one that waits for its sidecar', native],
      ['time that it waits', ready],
      ...nulls.map((none) => ['the same when a spare hop starts', none] as const),
    ],
    wanting(own, startLimits.race),
  )
})

/** What a look at the packets between nodes is called; see infra/meshes/kernel/wire.ts. */
const wireCheck = 'requests on the wire to the server’s node'

/** What is decided of C9: the first packet is lost, and the payload goes in the clear. `wire` is what each look saw. */
export function verdictOfC9(lost: Bounds | undefined, wire: readonly string[]): Decision {
  const first = lost ? decide(lost, startLimits.lost) : 'inconclusive'
  const isSure = wire.length > 0 && wire.every((seen) => seen === wire[0])
  const payload = isSure ? wire[0] : undefined
  if (first === 'refuted' || payload === 'encrypted') return 'refuted'
  return first === 'supported' && payload === 'clear' ? 'supported' : 'inconclusive'
}

const mutualAuth = 'l4-kernel-mutual-auth'

export const judgeC9 = byActs((acts) => {
  const lost = acts.value({ load: firstLoads.cold, path: mutualAuth }, firstLost)
  if (!lost) return elsewhere(acts)
  const wire = acts.seen(mutualAuth, wireCheck)
  return concluded(
    verdictOfC9(lost, wire),
    `${acts.setting} ${withInterval(lost, '')} requests were lost before the first was answered; the payload between the nodes was ${wire.length === 0 ? 'not looked at' : [...new Set(wire)].join(' and ')}.`,
    [['first requests that are lost', lost]],
    wire.length === 0 ? 'look at the packets between the nodes (tcpdump)' : wanting(lost, startLimits.lost),
  )
})

/** A mesh that does not authenticate so decides nothing of the claim; what a first connection takes there is told. */
function elsewhere(acts: Acts): Conclusion | undefined {
  const [found] = ['l4-only', 'l4-l7-l4', sidecars].flatMap((path) => {
    const added = acts.value({ load: firstLoads.cold, path }, firstAdded, 'signed')
    return added ? [{ path, added }] : []
  })
  if (!found) return undefined
  const { path, added } = found
  const control = acts.value({ load: firstLoads.cold, path: 'l7-per-node' }, firstAdded, 'signed')
  const nothing = acts.value({ load: firstLoads.nothing, path }, firstAdded, 'signed')
  const [seen] = acts.seen(path, wireCheck)
  return concluded(
    'inconclusive',
    `${acts.setting} the first connection of ${path}, handshakes included, took ${withInterval(added, 'ms')} longer than later ones${control ? `, that of a proxy without handshakes ${withInterval(control, 'ms')}` : ''}; the payload between the nodes was ${seen ?? 'not looked at'}. Only Cilium authenticates beside the payload: not decidable here.`,
    [
      [`first connection less later ones (${path})`, added],
      ['the same without handshakes (l7-per-node)', control],
      ['the same when a spare hop starts anew', nothing],
    ],
    'run Cilium with mutual authentication on a cluster',
  )
}
