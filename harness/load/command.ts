/** The command that runs a load where the client lives. */
import type { Command, Endpoint, LoadSpec, RaisedArm } from '../model.js'

/** `further` are the places of workloads after the first. `argv[0]` is `loadgen`, which the platform maps to node and the bundle. */
export function loadCommand(
  spec: LoadSpec,
  { host, port, authority }: RaisedArm['endpoint'],
  seed: number,
  further: readonly Endpoint[] = [],
): Command {
  const furtherTargets = further.map(({ host, port }) => ({ host, port }))
  // What is undefined is not written.
  const asked = {
    ...{ ...spec, seed, target: { host, port, authority } },
    furtherTargets: furtherTargets.length > 0 ? furtherTargets : undefined,
  }
  return { argv: ['loadgen', spec.engine, '--spec', JSON.stringify(asked)] }
}
