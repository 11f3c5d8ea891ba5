/** Reads the report's templates for tests, as the command line does for users. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findFonts } from '../../harness/cli/fonts.js'
import type { ReportAssets } from '../page/page.js'

export function readAssets(): ReportAssets {
  const folder = fileURLToPath(new URL('../page/templates/', import.meta.url))
  const read = (name: string) => readFileSync(folder + name, 'utf8')
  const names = readdirSync(folder).filter((name) => name.endsWith('.hbs'))
  return {
    templates: Object.fromEntries(names.map((name) => [name.slice(0, -'.hbs'.length), read(name)])),
    style: read('report.css'),
    script: read('report.js'),
    fontFiles: findFonts(),
  }
}
