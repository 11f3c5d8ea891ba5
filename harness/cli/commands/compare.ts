/** `meshbench compare`: two runs side by side, from their journals alone. */
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { analyze } from '../../analyze/analyze.js'
import { UserError, exitCodes, type ExitCode } from '../../model/errors.js'
import { readJournal } from '../../run/journal.js'
import { loadReportAssets, writeFiles } from '../outputs.js'
import { compareRuns } from '../../../reports/compare/compare.js'
import { renderComparison } from '../../../reports/compare/compare-page.js'
import { comparisonLines, comparisonMarkdown } from '../../../reports/compare/compare-text.js'
import { print } from './print.js'

export interface CompareFlags {
  readonly out?: string
  readonly force: boolean
}

export async function compareCommand(a: string, b: string, flags: CompareFlags): Promise<ExitCode> {
  if (flags.out !== undefined && existsSync(flags.out) && statSync(flags.out).isDirectory())
    throw new UserError(`--out: ${flags.out} is a folder`, { hint: 'name a file, as compare.html is' })
  const [firstJournal, secondJournal] = [readJournal(a), readJournal(b)]
  const [first, second] = [analyze(firstJournal.entries), analyze(secondJournal.entries)]
  const { objections, figures } = compareRuns(first, second)
  if (objections.length > 0 && !flags.force) {
    throw new UserError(
      [`${a} and ${b} must not be compared:`, ...objections.map((text) => `  - ${text}`)].join('\n'),
      { hint: '--force compares them all the same, and the page then says that it was told to' },
    )
  }
  if (figures.length === 0)
    throw new UserError(`${a} and ${b} have no comparison in common: there is nothing to compare`, {
      hint: 'measure both with the same arms, experiments and loads',
      exitCode: exitCodes.runFailed,
    })
  const file = resolve(flags.out ?? join(secondJournal.folder, `compare-${first.runId}.html`))
  const html = renderComparison(first, second, await loadReportAssets(), objections.length > 0)
  const name = basename(file).replace(/\.html$/, '')
  const files = [
    { name: basename(file), contents: html },
    { name: `${name}.md`, contents: comparisonMarkdown(first, second) },
  ]
  const paths = await writeFiles(dirname(file), files, 'name another file with --out')
  if (first.runId === second.runId) print('! This compares a run with itself.')
  for (const objection of objections) print(`! ${objection}`)
  for (const line of comparisonLines(first, second)) print(line)
  print('')
  for (const path of paths) print(`wrote ${path}`)
  return exitCodes.ok
}
