/** The command that runs a load where the client lives. */
import type { Command, LoadSpec } from '../model.js'

/** Where requests go, and the authority that they name when it is not `host:port`. */
export interface LoadTarget {
  readonly host: string
  readonly port: number
  readonly authority?: string
}

/** `argv[0]` is `loadgen`, which the platform maps to node and the bundle. */
export function loadCommand(spec: LoadSpec, target: LoadTarget, seed: number): Command {
  const { host, port, authority } = target
  const where = authority === undefined ? { host, port } : { host, port, authority }
  return { argv: ['loadgen', spec.engine, '--spec', JSON.stringify({ ...spec, target: where, seed })] }
}
