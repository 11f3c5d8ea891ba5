/** What a load engine is to the harness: a command to run where the client lives, and a parser of what it writes. */
import type { Command, LoadResult, LoadSpec, Protocol } from '../model.js'
import type { LoadEvent } from '../protocol/events.js'

/** Where requests go, and the authority that they name when it is not `host:port`. */
export interface LoadTarget {
  readonly host: string
  readonly port: number
  readonly authority?: string
}

/** What an engine may not know. The words of the report; see `LoadResult.unknown`. */
export type EngineLack = NonNullable<LoadResult['unknown']>[number]

/** One file each in this folder. */
export interface Loader {
  readonly name: string
  /** One sentence for `meshbench list` and the report. */
  readonly summary: string
  readonly models: readonly LoadSpec['model'][]
  readonly protocols: readonly Protocol[]
  /** What it cannot tell; absent for engines that tell all there is. */
  readonly lacks?: readonly EngineLack[]
  /** Program that has to be on the PATH where the client lives; absent for the bundled generator. */
  readonly needs?: string
  /** `argv[0]` is `loadgen`, which the platform maps to node and the bundle. */
  command(spec: LoadSpec, target: LoadTarget, seed: number): Command
  /** Parses one line of standard output. Throws `LoadEventError`. */
  parse(line: string): LoadEvent
}

/** The command that runs one of the bundled generator's engines. */
export function loadgenCommand(engine: string, spec: LoadSpec, target: LoadTarget, seed: number): Command {
  const { host, port, authority } = target
  const where = authority === undefined ? { host, port } : { host, port, authority }
  return { argv: ['loadgen', engine, '--spec', JSON.stringify({ ...spec, target: where, seed })] }
}
