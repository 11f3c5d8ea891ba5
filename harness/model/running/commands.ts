/** Commands on a cluster, as meshes give them to whichever platform has one. */

export interface AccessOptions {
  /** Text for standard input, for example manifests for `apply -f -`. */
  readonly input?: string
  /** The command is ended after this. Default: one minute. */
  readonly timeoutMs?: number
  /** Go on when the run is interrupted: for what undoes something. */
  readonly pastAbort?: boolean
  /** Ends the command, beside what interrupts the run. */
  readonly signal?: AbortSignal
}

/** Every command fails with `CommandError`, whose tail is the end of its output. */
export interface ClusterCommands {
  /** Standard output of `kubectl <args>` on this cluster. */
  kubectl(args: readonly string[], options?: AccessOptions): Promise<string>
  /** Standard output of `helm <args>` on this cluster. */
  helm(args: readonly string[], options?: AccessOptions): Promise<string>
}
