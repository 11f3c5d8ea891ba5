/** `meshbench report`: renders a run again, from its journal and nothing else. */
import { analyze } from '../../analyze/analyze.js'
import { withFleet } from '../../analyze/cells/fleet.js'
import { tellCi } from '../ci.js'
import { readFleet } from '../../config/fleet.js'
import { configError } from '../../config/problems.js'
import { exitCodes, type ExitCode } from '../../model/errors.js'
import type { JournalEntry } from '../../model.js'
import { tryFolder } from '../../process/folders.js'
import { readJournal } from '../../run/journal.js'
import { outputRequest, writeOutputs, type OutputFlags } from '../outputs.js'
import { runAnnotations } from '../../../reports/formats/annotations.js'
import { renderMarkdown } from '../../../reports/formats/markdown.js'
import { print, printable } from '../print.js'

interface ReportFlags extends OutputFlags {
  readonly out?: string
  readonly json: boolean
  readonly fleet?: string
}

export async function reportCommand(run: string, flags: ReportFlags): Promise<ExitCode> {
  const request = outputRequest(flags)
  if (flags.out !== undefined) tryFolder('--out', flags.out)
  const journal = readJournal(run)
  const analysis = analyze(inFleet(journal.entries, flags.fleet))
  const write = () => writeOutputs(analysis, flags.out ?? journal.folder, request, journal.entries)
  if (flags.json) {
    const isAsked = [flags.out, flags.format, flags.chart].some((flag) => flag !== undefined)
    for (const path of isAsked ? await write() : []) process.stderr.write(`${printable(`wrote ${path}`)}\n`)
    process.stdout.write(`${JSON.stringify(analysis)}\n`)
    return exitCodes.ok
  }
  for (const path of await write()) print(`wrote ${path}`)
  await tellCi({ summary: renderMarkdown(analysis), annotations: runAnnotations(analysis) }, print)
  return exitCodes.ok
}

/** Asked what it comes to in a fleet that its config does not have. */
function inFleet(entries: readonly JournalEntry[], text: string | undefined): readonly JournalEntry[] {
  if (text === undefined) return entries
  const { value: fleet, problems } = readFleet(text)
  if (fleet === undefined) throw configError('the command line', problems)
  return withFleet(entries, fleet)
}
