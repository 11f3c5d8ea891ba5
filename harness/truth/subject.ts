/** What a tool under test is to the table: how it is asked for a load, and how its answer is read. */
import type { ToolReport } from '../../infra/images/loadgen/tools/tool.js'

/** One run that is asked of a tool. */
export interface Ask {
  readonly host: string
  readonly port: number
  /** Undefined: as fast as it may. */
  readonly ratePerSecond: number | undefined
  readonly connections: number
  readonly seconds: number
  /** Before the time that counts; 0 of tools that know no warm-up. */
  readonly warmupMs: number
  readonly fresh: boolean
  /** Of every reply's body. */
  readonly payloadBytes: number
  /** A folder of this run's own. */
  readonly folder: string
}

export interface Subject {
  readonly name: string
  /** Program that has to be on the PATH; undefined for our own engines. */
  readonly program: string | undefined
  readonly takesRate: boolean
  readonly canBeFresh: boolean
  /** Arguments that make the program tell its version. */
  readonly versionArguments?: readonly string[]
  readonly files?: Readonly<Record<string, string>>
  /** What is known of it that explains its row, sentence by sentence. */
  readonly notes?: readonly string[]
  /** Warms up as in a run, and stops at the edges of its window until it is told to go on. */
  readonly hasEdges?: boolean
  command(ask: Ask): readonly string[]
  /** Throws when the output is not what is known of the tool. */
  read(output: string, ask: Ask, files: (name: string) => string): ToolReport
}
