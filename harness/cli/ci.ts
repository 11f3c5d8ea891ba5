/** Tells the CI service that this process may run in what was found: its job summary and its annotations. */
import { appendFile } from 'node:fs/promises'
import { messageOf } from '../model/errors.js'

export interface CiMessage {
  /** Markdown for the job's summary. */
  readonly summary: string
  /** Lines for the job's log that the service shows beside the change. */
  readonly annotations: readonly string[]
}

/**
 * Appends to the file that `GITHUB_STEP_SUMMARY` names, and prints annotations when `GITHUB_ACTIONS` is `true`;
 * elsewhere nothing happens. A summary that cannot be written is told, and is no reason to lose a run's result.
 */
export async function tellCi(
  message: CiMessage,
  print: (line: string) => void,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const file = environment.GITHUB_STEP_SUMMARY
  if (file !== undefined && file !== '') {
    await appendFile(file, `${message.summary}\n`).catch((error: unknown) =>
      print(`! could not write the job summary: ${messageOf(error)}`),
    )
  }
  if (environment.GITHUB_ACTIONS === 'true') for (const line of message.annotations) print(line)
}
