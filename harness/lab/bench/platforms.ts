/**
 * Prints what each path adds on several platforms side by side, from the journals of runs that were made with one build
 * on one host. Run it with `npm run bench:platforms -- <run> <run> …`, the platform to compare with first.
 */
import { analyze } from '../../analyze/analyze.js'
import { UserError, exitCodes } from '../../model/errors.js'
import { readJournal } from '../../run/journal.js'
import { platformTable, tableObjections } from '../../../reports/compare/platform-table.js'
import { exitCodeOf } from './series.js'

process.exitCode = await main().catch(exitCodeOf)

async function main(): Promise<number> {
  const runs = process.argv.slice(2).map((run) => analyze(readJournal(run).entries))
  const objections = tableObjections(runs)
  if (objections.length > 0) throw new UserError(`these runs make no table: ${objections.join('; ')}`)
  process.stdout.write(platformTable(runs))
  return exitCodes.ok
}
