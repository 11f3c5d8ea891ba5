/** `meshbench index`: the front page of a folder of runs, ready to be served as it lies. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { analyze } from '../../analyze/analyze.js'
import { UserError, exitCodes, messageOf, type ExitCode } from '../../model/errors.js'
import { readJournal, runsIn } from '../../run/journal.js'
import { loadReportAssets, usualOutputs, writeFiles, writeOutputs } from '../outputs.js'
import { renderIndex, type IndexedRun } from '../../../reports/index/index-page.js'
import { print } from '../print.js'

/** Reads every run below `folder`, renders reports that are missing and writes `index.html`. A run that cannot be read is told and left out. */
export async function indexCommand(folder: string): Promise<ExitCode> {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UserError(`${folder} is not a folder`, { hint: 'name a folder that holds folders of runs' })
  const runs: IndexedRun[] = []
  for (const name of runsIn(folder)) {
    try {
      const analysis = analyze(readJournal(join(folder, name)).entries)
      if (!existsSync(join(folder, name, 'report.html')))
        await writeOutputs(analysis, join(folder, name), usualOutputs)
      runs.push({ analysis, href: `${name}/report.html` })
    } catch (error) {
      print(`! ${name} is left out: ${messageOf(error)}`)
    }
  }
  if (runs.length === 0) {
    throw new UserError(`no run can be read in ${folder}`, {
      hint: 'name a folder that holds folders of runs, for example results',
    })
  }
  const html = await renderIndex(runs, await loadReportAssets())
  const hint = 'the page stands beside the runs that it links to: make their folder one that can be written'
  const [path] = await writeFiles(folder, [{ name: 'index.html', contents: html }], hint)
  print(`wrote ${path ?? folder}: ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}`)
  return exitCodes.ok
}
