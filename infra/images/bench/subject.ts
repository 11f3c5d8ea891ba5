/** What the bench can measure: something that stands between wrk and nginx. */
import type { ListenerAddress } from '../kit/process/image.js'
import type { Workspace } from '../kit/testing.js'

export interface Subject {
  readonly name: string
  /** `nodeArguments` go to the processes that are Node's, for profiles; others take no notice. */
  start(
    workspace: Workspace,
    application: ListenerAddress,
    nodeArguments?: readonly string[],
  ): Promise<RunningSubject>
}

export interface RunningSubject {
  /** Where wrk connects. */
  readonly entry: ListenerAddress
  /** The processes that are charged. CPU per request is given per hop: their mean. */
  readonly hops: readonly { readonly name: string; readonly pid: number }[]
  /** By default at once; SIGTERM lets a profile be written. */
  stop(signal?: NodeJS.Signals): Promise<void>
}
