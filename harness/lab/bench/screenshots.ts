/**
 * Makes what README shows of a real run, from its journal alone: the report as a sample, and its first screen in both
 * themes and on a phone.
 *
 *     npm run screenshots -- results/<run>
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { renderHtml } from '../../../reports/page/render.js'
import { analyze } from '../../analyze/analyze.js'
import { loadReportAssets } from '../../cli/outputs.js'
import { UserError, exitCodes } from '../../model/errors.js'
import { readJournal } from '../../run/journal.js'
import { findChromium } from '../../testing/chromium.js'
import { exitCodeOf } from './series.js'

const pictures = [
  { name: 'answer-light', width: 1440, height: 900, colorScheme: 'light' },
  { name: 'answer-dark', width: 1440, height: 900, colorScheme: 'dark' },
  { name: 'answer-phone', width: 390, height: 844, colorScheme: 'light' },
] as const

const sampleFolder = 'reports/sample'
const pictureFolder = 'reports/screenshots'
/** What a repository can carry. */
const largestSampleBytes = 600_000

process.exitCode = await main(process.argv.slice(2)).catch(exitCodeOf)

async function main([run]: readonly string[]): Promise<number> {
  if (run === undefined) throw new UserError('name the folder of a run: npm run screenshots -- results/<run>')
  const executablePath = findChromium()
  if (executablePath === undefined)
    throw new UserError('no Chromium found', {
      hint: 'install one, or set CHROMIUM to its path',
      exitCode: exitCodes.hostLacks,
    })
  const html = await renderHtml(analyze(readJournal(run).entries), await loadReportAssets())
  const bytes = Buffer.byteLength(html)
  if (bytes > largestSampleBytes)
    throw new UserError(`the report has ${bytes} bytes: more than a sample may have`, {
      hint: 'take a run with fewer arms or experiments',
    })
  await Promise.all([sampleFolder, pictureFolder].map((folder) => mkdir(folder, { recursive: true })))
  const sample = join(sampleFolder, 'report.html')
  await writeFile(sample, html)
  // As root, in a container, Chromium's own sandbox cannot start; the page is this project's own.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    for (const { name, width, height, colorScheme } of pictures) {
      const page = await browser.newPage({
        viewport: { width, height },
        colorScheme,
        reducedMotion: 'reduce',
      })
      await page.goto(pathToFileURL(resolve(sample)).href)
      await page.screenshot({ path: join(pictureFolder, `${name}.png`) })
      const total: unknown = await page.evaluate('document.documentElement.scrollHeight')
      console.log(`${name}.png, page of ${String(total)} px at ${width} px`)
      await page.close()
    }
  } finally {
    await browser.close()
  }
  console.log(`${sample}, ${Math.round(bytes / 1000)} kB`)
  return exitCodes.ok
}
