/** The command that runs a load where the client lives. */
import type { Command, LoadSpec } from '../model.js'

/** Where requests go, and the authority that they name when it is not `host:port`. */
export interface LoadTarget {
  readonly host: string
  readonly port: number
  readonly authority?: string
}

type Place = Pick<LoadTarget, 'host' | 'port'>

/** `further` are the places of workloads after the first. `argv[0]` is `loadgen`, which the platform maps to node and the bundle. */
export function loadCommand(
  spec: LoadSpec,
  target: LoadTarget,
  seed: number,
  further: readonly Place[] = [],
): Command {
  const { host, port, authority } = target
  const where = authority === undefined ? { host, port } : { host, port, authority }
  const more =
    further.length === 0 ? {} : { furtherTargets: further.map(({ host, port }) => ({ host, port })) }
  const asked = { ...spec, target: where, seed, ...more }
  return { argv: ['loadgen', spec.engine, '--spec', JSON.stringify(asked)] }
}
