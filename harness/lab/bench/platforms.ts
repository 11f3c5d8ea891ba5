/**
 * Prints what each path adds on several platforms side by side, from the journals of runs that were made with one build
 * on one host. Run it with `npm run bench:platforms -- <run> <run> …`, the platform to compare with first.
 */
import { analyze } from '../../analyze/analyze.js'
import { exitCodes, messageOf } from '../../model/errors.js'
import { readJournal } from '../../run/journal.js'
import { platformTable, tableObjections } from '../../../reports/compare/platform-table.js'

try {
  const runs = process.argv.slice(2).map((run) => analyze(readJournal(run).entries))
  const objections = tableObjections(runs)
  if (objections.length > 0) {
    process.stderr.write(`these runs make no table: ${objections.join('; ')}\n`)
    process.exitCode = exitCodes.usage
  } else process.stdout.write(platformTable(runs))
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = exitCodes.usage
}
