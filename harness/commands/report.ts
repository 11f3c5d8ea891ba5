/** `meshbench report`: renders a run again, from its journal and nothing else. */
import { mkdir } from 'node:fs/promises'
import { analyze } from '../analyze.js'
import { exitCodes, type ExitCode } from '../errors.js'
import { readJournal } from '../journal.js'
import { writeOutputs } from '../outputs.js'

export async function reportCommand(run: string, flags: { out?: string; json: boolean }): Promise<ExitCode> {
  const journal = readJournal(run)
  const analysis = analyze(journal.entries)
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(analysis)}\n`)
    return exitCodes.ok
  }
  const folder = flags.out ?? journal.folder
  await mkdir(folder, { recursive: true })
  const { report } = await writeOutputs(analysis, folder)
  process.stdout.write(`report: ${report}\n`)
  return exitCodes.ok
}
