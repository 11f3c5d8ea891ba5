/**
 * Takes the pictures of a report that the README shows, in both themes.
 *
 *     npm run screenshots -- results/<run> [folder, default reports/screenshots]
 */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { UserError, exitCodes, messageOf } from '../../model/errors.js'
import { findChromium } from '../../testing/chromium.js'

const size = { width: 1180, height: 860 }

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(messageOf(error))
  return error instanceof UserError ? error.exitCode : exitCodes.runFailed
})

async function main([run, folder = 'reports/screenshots']: readonly string[]): Promise<number> {
  if (run === undefined) throw new UserError('name the folder of a run: npm run screenshots -- results/<run>')
  const executablePath = findChromium()
  if (executablePath === undefined)
    throw new UserError('no Chromium found', {
      hint: 'install one, or set CHROMIUM to its path',
      exitCode: exitCodes.hostLacks,
    })
  await mkdir(folder, { recursive: true })
  // As root, in a container, Chromium's own sandbox cannot start; the page is this project's own.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await browser.newPage({ viewport: size, colorScheme, reducedMotion: 'reduce' })
      const url = pathToFileURL(join(resolve(run), 'report.html')).href
      await page.goto(url)
      await page.screenshot({ path: join(folder, `answer-${colorScheme}.png`) })
      await page.goto(`${url}#paths`)
      await page.screenshot({ path: join(folder, `paths-${colorScheme}.png`) })
      await page.close()
    }
  } finally {
    await browser.close()
  }
  console.log(`four pictures in ${folder}`)
  return exitCodes.ok
}
