/** Keeps what belongs to each arm on a cluster: its names, the shape its mesh wants, and the pods still to be made. */
import type { Arm, Endpoint, Path } from '../../../harness/model.js'
import type { ArmShape } from '../../../harness/model/cluster-access.js'
import { dnsLabel } from './render/names.js'
import type { RenderedWorkload } from './render/templates.js'

/** Port of the service that every arm's client calls. */
export const servicePort = 8080

export interface ArmState {
  readonly arm: Arm
  readonly namespace: string
  shape?: ArmShape
  namespaceReady?: Promise<void>
  clientReady?: Promise<void>
  application?: Promise<Readonly<Record<string, Endpoint>>>
  /** The application's container, while it waits for the sidecar that shares its pod. */
  waitingApplication?: RenderedWorkload
  /** First port of the next container of a pod on a node's own network. */
  readonly hostPort: number
}

/** The one state of each arm. `prefix` starts every namespace, so that those of one run are told from others'. */
export function armStates(prefix: string): (arm: Arm) => ArmState {
  const states = new Map<string, ArmState>()
  return (arm) => {
    const known = states.get(arm.id)
    if (known) return known
    // Pods on a node's network share its ports: each arm has its own.
    const state = { arm, namespace: dnsLabel(prefix, arm.id), hostPort: 21_000 + 20 * states.size }
    states.set(arm.id, state)
    return state
  }
}

/**
 * Whether the application's or the client's pod must wait for a sidecar that is deployed later. A mesh that gave the
 * arm a shape injects its own sidecars, and nothing is waited for.
 */
export function waitsForSidecar(state: ArmState, path: Path, side: 'inbound' | 'outbound'): boolean {
  if (state.shape !== undefined) return false
  const hop = side === 'inbound' ? path.hops.at(-1) : path.hops[0]
  return hop?.role === `sidecar-${side}`
}
