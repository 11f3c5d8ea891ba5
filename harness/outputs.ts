/** Writes what a person opens and a machine reads, from one analysis. */
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError, exitCodes, messageOf } from './errors.js'
import type { Analysis } from './model.js'
import { packageRoot } from './package-root.js'
import { renderHtml, type ReportAssets } from '../reports/render.js'

export interface OutputPaths {
  readonly report: string
  readonly analysis: string
}

export async function writeOutputs(analysis: Analysis, folder: string): Promise<OutputPaths> {
  const html = await renderHtml(analysis, await loadReportAssets())
  const paths = { report: join(folder, 'report.html'), analysis: join(folder, 'analysis.json') }
  try {
    await writeFile(paths.report, html)
    await writeFile(paths.analysis, `${JSON.stringify(analysis, null, 2)}\n`)
  } catch (error) {
    throw new UserError(`cannot write the report: ${messageOf(error)}`, {
      hint: `the journal is intact: meshbench report ${folder} --out <another folder>`,
      exitCode: exitCodes.runFailed,
      cause: error,
    })
  }
  return paths
}

/** Templates, style and script of the report, from source or from the compiled package. */
export async function loadReportAssets(): Promise<ReportAssets> {
  const folder = await templateFolder()
  const names = await readdir(folder)
  const read = (name: string) => readFile(join(folder, name), 'utf8')
  const templates = await Promise.all(
    names
      .filter((name) => name.endsWith('.hbs'))
      .map(async (name) => [name.slice(0, -'.hbs'.length), await read(name)] as const),
  )
  return {
    templates: Object.fromEntries(templates),
    style: await read('report.css'),
    script: await read('report.js'),
  }
}

async function templateFolder(): Promise<string> {
  const candidates = ['reports/templates', 'dist/reports/templates'].map((path) => join(packageRoot, path))
  for (const candidate of candidates) {
    if (
      await readdir(candidate).then(
        () => true,
        () => false,
      )
    )
      return candidate
  }
  throw new Error(`no report templates in ${candidates.join(' or ')}`)
}
