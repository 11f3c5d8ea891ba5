/** The kinds of failure that a person can act on; anything else that is thrown is a bug. */

export const exitCodes = {
  ok: 0,
  thresholdFailed: 1,
  usage: 2,
  hostLacks: 3,
  runFailed: 4,
  interrupted: 130,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Something the user can put right. `hint` says what to do next. */
export class UserError extends Error {
  readonly hint: string | undefined
  readonly exitCode: ExitCode

  constructor(message: string, options: { hint?: string; exitCode?: ExitCode; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'UserError'
    this.hint = options.hint
    this.exitCode = options.exitCode ?? exitCodes.usage
  }
}

/** A subprocess that ended badly. `tail` is the end of its output. */
export class CommandError extends Error {
  readonly argv: readonly string[]
  readonly code: number | null
  readonly signal: string | null
  readonly tail: string

  constructor(
    argv: readonly string[],
    end: { code: number | null; signal: string | null; tail: string },
    note = '',
  ) {
    const how = end.signal ? `was ended by ${end.signal}` : `exited with code ${end.code ?? 'unknown'}`
    super(`${argv[0] ?? 'command'} ${how}${note ? ` (${note})` : ''}`)
    this.name = 'CommandError'
    this.argv = argv
    this.code = end.code
    this.signal = end.signal
    this.tail = end.tail
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What was asked of whom, and its own words: "kubectl exited with code 1" helps nobody. */
export function whatWasSaid(error: unknown): string {
  if (!(error instanceof CommandError)) return messageOf(error)
  const words = error.tail.trim().split('\n').slice(-3).join(' ')
  return `${error.message}${words === '' ? '' : `: ${words}`} (asked: ${error.argv.join(' ').slice(0, 300)})`
}
