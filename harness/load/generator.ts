/** What is said to a load generator, and the one check that every line of its answer passes. */
import type { Command, Endpoint, LoadSpec, RaisedArm } from '../model.js'
import { loadEventSchema, type LoadEvent } from '../protocol/events.js'

/**
 * The command that runs a load where the client lives. `further` are the places of workloads after the first. `argv[0]` is
 * `loadgen`, which the platform maps to node and the bundle.
 */
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

/** It quotes the line, because it is usually somebody's complaint. */
const noEvent = (problem: string, line: string) =>
  new Error(`the load engine wrote a line that is no event: ${problem}: ${line.slice(0, 200)}`)

/** Parses one line of a generator that speaks the protocol. Throws for one that is none. */
export function parseEvent(line: string): LoadEvent {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw noEvent('not JSON', line)
  }
  const checked = loadEventSchema.safeParse(value)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  throw noEvent(`${issue?.path.join('.') || 'event'}: ${issue?.message ?? 'malformed'}`, line)
}
