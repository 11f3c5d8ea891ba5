/** `meshbench truth`: which load generators on this host can be believed, for what, down to which size of effect. */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError, exitCodes, messageOf, type ExitCode } from '../../model/errors.js'
import { type TruthTable, disagreements, truthTableSchema } from '../../model/truth.js'
import { tryFolder } from '../../process/folders.js'
import { exitOnInterrupt } from '../../process/interrupts.js'
import { createStateDir, newRunId } from '../../process/state.js'
import { listSubjects } from '../../truth/subjects.js'
import { measureTruth } from '../../truth/truth.js'
import { loadReportAssets, writeFiles } from '../outputs.js'
import { imageBundles } from '../../../infra/images/bundles.js'
import { truthHtml } from '../../../reports/truth/page.js'
import { truthMarkdown } from '../../../reports/truth/markdown.js'
import { defined } from '../../model/defined.js'
import { printable } from '../print.js'

interface TruthFlags {
  readonly tool?: readonly string[]
  readonly out?: string
  readonly against?: string
  readonly json: boolean
}

export async function truthCommand(flags: TruthFlags): Promise<ExitCode> {
  const earlier = flags.against === undefined ? undefined : await readTable(flags.against)
  const tell = (line: string) => process.stderr.write(`${printable(line)}\n`)
  const started = new Date()
  const runId = newRunId(started)
  const out = flags.out ?? join('results', `${runId}-truth`)
  tryFolder('--out', out)
  const away = exitOnInterrupt()
  const folder = await createStateDir(runId)
  try {
    const { loadgen } = await imageBundles()
    const table = await measureTruth({
      ...defined({ tools: flags.tool }),
      ...{ subjects: listSubjects(loadgen.path), folder, runId, tell },
    })
    // Printed first, so that minutes of measuring are not lost where the table cannot be kept.
    process.stdout.write(flags.json ? `${JSON.stringify(table, null, 2)}\n` : truthMarkdown(table))
    await writeTable(table, out)
    tell(`→ ${join(out, 'truth.html')}`)
    return earlier ? compare(earlier, table, tell) : exitCodes.ok
  } finally {
    away()
    await rm(folder, { recursive: true, force: true })
  }
}

async function writeTable(table: TruthTable, out: string): Promise<void> {
  const files = [
    { name: 'truth.json', contents: `${JSON.stringify(table, null, 2)}\n` },
    { name: 'truth.md', contents: truthMarkdown(table) },
    { name: 'truth.html', contents: truthHtml(table, await loadReportAssets()) },
  ]
  await writeFiles(out, files, 'name another folder with --out')
}

function compare(earlier: TruthTable, table: TruthTable, tell: (line: string) => void): ExitCode {
  const { agreeing, apart } = disagreements(earlier, table)
  tell(`${agreeing} of ${agreeing + apart.length} cells agree with the table before within their errors`)
  for (const line of apart) tell(`  ${line}`)
  return apart.length === 0 ? exitCodes.ok : exitCodes.thresholdFailed
}

async function readTable(file: string): Promise<TruthTable> {
  try {
    return truthTableSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    const isRead = (error as NodeJS.ErrnoException).code === undefined
    const problem = isRead ? 'is no table of this version' : 'cannot be read'
    throw new UserError(`--against: ${file} ${problem}: ${messageOf(error)}`, {
      hint: 'name the truth.json that an earlier `meshbench truth` wrote',
    })
  }
}
