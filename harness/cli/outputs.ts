/** Writes what a person opens and a machine reads, from one analysis. */
import { existsSync, statSync } from 'node:fs'
import { readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError, exitCodes, messageOf } from '../model/errors.js'
import { findFonts } from './fonts.js'
import type { Analysis, JournalEntry } from '../model.js'
import { makeFolder } from '../process/folders.js'
import { packageRoot } from '../process/package-root.js'
import { charts, type ChartName } from '../../reports/charts/index.js'
import { themes, type Theme } from '../../reports/formats/chart-svg.js'
import {
  chartFormats,
  formats,
  journalFormats,
  type ChartFormat,
  type ChartFormatName,
  type Format,
  type FormatName,
  type JournalFormat,
  type JournalFormatName,
} from '../../reports/formats/index.js'
import type { ReportAssets } from '../../reports/page/render.js'

export interface OutputRequest {
  readonly formats: readonly FormatName[]
  readonly journalFormats: readonly JournalFormatName[]
  readonly chartFormats: readonly ChartFormatName[]
  readonly charts: readonly ChartName[]
  readonly theme: Theme
}

/** What a run writes by itself. */
export const usualOutputs: OutputRequest = {
  formats: ['html', 'json'],
  journalFormats: [],
  chartFormats: [],
  charts: [],
  theme: 'light',
}

export interface OutputFlags {
  readonly format?: readonly string[]
  readonly chart?: readonly string[]
  readonly theme?: string
}

/** What `--format`, `--chart` and `--theme` ask for. Throws a `UserError` that names what is allowed. */
export function outputRequest(flags: OutputFlags): OutputRequest {
  const all = [...keysOf(formats), ...keysOf(journalFormats), ...keysOf(chartFormats)]
  const wanted = [...new Set(flags.format ?? [])].map((name) => oneOf('--format', name, all))
  const wantedOf = <Name extends string>(registry: Readonly<Record<Name, unknown>>) =>
    keysOf(registry).filter((name) => wanted.some((other) => other === name))
  const request: OutputRequest = {
    formats: flags.format === undefined ? usualOutputs.formats : wantedOf(formats),
    journalFormats: wantedOf(journalFormats),
    chartFormats: wantedOf(chartFormats),
    charts: [...new Set(flags.chart ?? [])].map((name) => oneOf('--chart', name, keysOf(charts))),
    theme: oneOf('--theme', flags.theme ?? usualOutputs.theme, themes),
  }
  const [chartFormat] = request.chartFormats
  if (chartFormat !== undefined && request.charts.length === 0) {
    throw new UserError(`--format ${chartFormat} needs --chart <name>`, {
      hint: `allowed: ${keysOf(charts).join(', ')}`,
    })
  }
  if (request.charts.length > 0 && chartFormat === undefined) {
    throw new UserError(`--chart ${request.charts[0] ?? ''} needs a format of charts`, {
      hint: `add --format ${keysOf(chartFormats).join(' or --format ')}`,
    })
  }
  return request
}

function keysOf<Name extends string>(registry: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(registry) as Name[]
}

function oneOf<Name extends string>(flag: string, value: string, allowed: readonly Name[]): Name {
  const found = allowed.find((name) => name === value)
  if (found === undefined)
    throw new UserError(`${flag}: ${JSON.stringify(value)} is unknown`, {
      hint: `allowed: ${allowed.join(', ')}`,
    })
  return found
}

/**
 * Writes what was asked for into `folder`, which is made when it is not there, and returns the paths in order. `entries`
 * are the journal's, for formats of its histograms.
 *
 * Throws `UserError` when a chart has no data or a file cannot be written.
 */
export async function writeOutputs(
  analysis: Analysis,
  folder: string,
  request: OutputRequest = usualOutputs,
  entries: readonly JournalEntry[] = [],
): Promise<readonly string[]> {
  const assets = await loadReportAssets()
  const files: { readonly name: string; readonly contents: string | Uint8Array }[] = []
  for (const name of request.formats) {
    const format: Format = formats[name]
    files.push({ name: format.file, contents: await format.render(analysis, assets) })
  }
  for (const name of request.journalFormats) {
    const format: JournalFormat = journalFormats[name]
    files.push(...format.render(analysis, entries))
  }
  for (const name of request.chartFormats) {
    const format: ChartFormat = chartFormats[name]
    for (const chart of request.charts) {
      const contents = await format.render(analysis, chart, request.theme, assets)
      if (contents === undefined) {
        throw new UserError(`this run has no data for the chart ${chart}`, {
          hint: 'the report shows which charts it has data for',
        })
      }
      files.push({ name: `${chart}.${format.extension}`, contents })
    }
  }
  return writeFiles(folder, files)
}

/** Writes files into a folder and returns their paths. Throws a `UserError` with the path that failed and what to do, `hint`. */
export async function writeFiles(
  folder: string,
  files: readonly { readonly name: string; readonly contents: string | Uint8Array }[],
  hint = 'the journal is intact: render it again with --out <another folder>',
): Promise<readonly string[]> {
  let path = folder
  try {
    makeFolder(folder)
    for (const { name, contents } of files) {
      path = join(folder, name)
      refusePipe(path)
      await writeWhole(path, contents)
    }
  } catch (error) {
    throw new UserError(`cannot write to ${path}: ${messageOf(error)}`, {
      hint,
      exitCode: exitCodes.runFailed,
      cause: error,
    })
  }
  return files.map(({ name }) => join(folder, name))
}

/** All of it or nothing: half a page, as of a disk that is full, would take the place of a whole one, and be taken for it. */
async function writeWhole(path: string, contents: string | Uint8Array): Promise<void> {
  const part = `${path}.${process.pid}.part`
  try {
    await writeFile(part, contents)
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

/** A pipe without a reader would be waited for without end, and a device keeps nothing. */
function refusePipe(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found && !found.isFile() && !found.isDirectory()) throw new Error('it is no ordinary file')
}

/** Templates, style and script of the report, from source or from the compiled package. */
export async function loadReportAssets(): Promise<ReportAssets> {
  const folder = templateFolder()
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
    fontFiles: findFonts(),
  }
}

function templateFolder(): string {
  const candidates = ['reports/page/templates', 'dist/reports/page/templates'].map((path) =>
    join(packageRoot, path),
  )
  for (const candidate of candidates) {
    if (existsSync(candidate)) return candidate
  }
  throw new Error(`no report templates in ${candidates.join(' or ')}`)
}
