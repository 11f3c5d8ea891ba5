/** What trials run against. */
import type { Change } from '../script.js'
import type { TrialError } from './faults.js'
import type { RaisedArm } from './mesh.js'
import type { Edge, Fact, ProofCheck } from './readings.js'
import type { Command, Component, Running } from './workloads.js'

/** A platform with meshes brought up on it: what trials run against. Composed in harness/run/environment.ts. */
export interface Environment {
  readonly id: string
  readonly facts: readonly Fact[]
  readonly components: readonly Component[]
  /** Arms that came up; `failures` names the others. */
  readonly raised: Readonly<Record<string, RaisedArm>>
  readonly failures: Readonly<Record<string, TrialError>>
  readonly proofs: Readonly<Record<string, readonly ProofCheck[]>>
  /** Hops whose usage cannot be read, so that they are missing in the bill. */
  readonly unbilled: readonly string[]
  /** What carries an arm's traffic, of those that say so. */
  readonly builds: Readonly<Record<string, string>>
  /** Runs a load engine's command where the arm's client lives. */
  exec(arm: string, command: Command): Running
  /** Reads usage and the host, and, when asked, every hop's and the application's counters. */
  read(options: { readonly counters: boolean; readonly usage: boolean }): Promise<Edge>
  /** Comes before everything else of a trial; see `Host.beginTrial`. */
  beginTrial(): void
  /** Why an arm cannot go on, whatever became of the components in `except`. A death may be told of only `deathNoticedMs` after it happened. */
  health(arm: string, except?: ReadonlySet<string>): TrialError | undefined
  /** The same of a single component. */
  componentHealth(component: string): TrialError | undefined
  /** See `Host.change`; throws where the platform cannot. */
  change(component: string, change: Change): Promise<void>
  readonly deathNoticedMs: number
}
