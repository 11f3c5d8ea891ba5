/**
 * Decides which networks a container is on: its node's, and that of the node it sends to. Nothing else is reachable
 * from it, so a path cannot be cut short by mistake.
 */
import type { Arm, Hop, NodeRole, Path } from '../../../harness/model.js'
import { applicationOf } from '../kit/units.js'

export interface Attachment {
  /** Network that others reach it on. */
  readonly home: NodeRole
  /** Networks that it only sends on. */
  readonly others: readonly NodeRole[]
}

/** Hop `index` of a path; -1 is the client and `hops.length` the server. */
export function attachmentOf(path: Path, index: number): Attachment {
  const home = nodeAt(path, index)
  const next = index < path.hops.length ? nodeAt(path, index + 1) : home
  return { home, others: next === home ? [] : [next] }
}

function nodeAt(path: Path, index: number): NodeRole {
  if (index < 0) return 'client'
  return path.hops[index]?.node ?? 'server'
}

/**
 * A service that functions call: on the node of the last hop that may call it, and it sends nowhere. Throws where another L7
 * hop of the path is not on that network.
 */
export function attachmentOfService(path: Path): Attachment {
  const callers = [...path.hops.entries()].filter(([, { layer }]) => layer === 'l7')
  const home = nodeAt(path, callers.at(-1)?.[0] ?? path.hops.length)
  for (const [index, { name }] of callers) {
    const { home: own, others } = attachmentOf(path, index)
    if (own !== home && !others.includes(home))
      throw new Error(`${name} of ${path.name} cannot reach a service on the node of the last L7 hop`)
  }
  return { home, others: [] }
}

/** A sidecar lives in its application's network: they talk over loopback, as in a pod. */
export function isSidecar(hop: Hop | undefined, side: 'outbound' | 'inbound'): boolean {
  return hop?.role === `sidecar-${side}`
}

/**
 * The component whose network a hop shares; undefined where it is the first in its network. A client's first sidecar is in the
 * client's, and copies of that sidecar join it there: one generator reaches all.
 */
export function besideOf(hop: Hop, arm: Pick<Arm, 'id' | 'copy'>, path: Path): string | undefined {
  if (isSidecar(hop, 'outbound')) return arm.copy && `${arm.copy.of}/${hop.name}`
  return isSidecar(hop, 'inbound') ? applicationOf(arm, path).component.name : undefined
}
