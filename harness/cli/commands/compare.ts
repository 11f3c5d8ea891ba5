/** `meshbench compare`: two runs side by side, from their journals alone. */
import { basename, dirname, join, resolve } from 'node:path'
import { analyze } from '../../analyze/analyze.js'
import { UserError, exitCodes, type ExitCode } from '../../model/errors.js'
import type { Analysis } from '../../model.js'
import { tryFile } from '../../process/folders.js'
import { readJournal } from '../../run/journal.js'
import { loadReportAssets, writeFiles } from '../outputs.js'
import { comparedText, compareRuns, remedyOf } from '../../../reports/compare/compare.js'
import { renderComparison } from '../../../reports/compare/compare-page.js'
import { comparisonLines, comparisonMarkdown } from '../../../reports/compare/compare-text.js'
import { fileName } from '../../../reports/formats/histograms.js'
import { print } from '../print.js'

interface CompareFlags {
  readonly out?: string
  readonly force: boolean
}

export async function compareCommand(a: string, b: string, flags: CompareFlags): Promise<ExitCode> {
  if (flags.out !== undefined) tryFile('--out', flags.out, 'compare.html')
  const [firstJournal, secondJournal] = [readJournal(a), readJournal(b)]
  const [first, second] = [analyze(firstJournal.entries), analyze(secondJournal.entries)]
  const { objections, figures } = compareRuns(first, second)
  if (figures.length === 0) {
    const has = (run: string, analysis: Analysis) => `  - ${run} compares ${comparedText(analysis)}`
    throw new UserError(
      [`${a} and ${b} have nothing to compare with each other:`, has(a, first), has(b, second)].join('\n'),
      { hint: remedyOf(first, second), exitCode: exitCodes.runFailed },
    )
  }
  if (objections.length > 0 && !flags.force) {
    throw new UserError(
      [`${a} and ${b} must not be compared:`, ...objections.map((text) => `  - ${text}`)].join('\n'),
      { hint: '--force compares them all the same, and the page then says that it was told to' },
    )
  }
  const file = resolve(flags.out ?? join(secondJournal.folder, `compare-${fileName(first.runId)}.html`))
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
