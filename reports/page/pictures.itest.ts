/**
 * First screens of the page as pictures, so that a change of style is seen by whoever reviews it. One that is missing is
 * made: delete it and run this test after a change that is meant. Fonts and browsers draw differently, so that pictures
 * are compared only where both are those that they were made with.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import { findChromium } from '../../harness/testing/chromium.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { readAssets } from '../testdata/assets.js'
import { renderHtml } from './render.js'

const executable = findChromium()
if (executable === undefined) console.log('skipped: no Chromium found; set CHROMIUM to the path of one')

/** Printed A4 is 673 px wide between its margins. */
const views = [
  { name: '1440', width: 1440, height: 900, media: 'screen', colorScheme: 'light' },
  { name: '1440-dark', width: 1440, height: 900, media: 'screen', colorScheme: 'dark' },
  { name: '768', width: 768, height: 1024, media: 'screen', colorScheme: 'light' },
  { name: '390', width: 390, height: 844, media: 'screen', colorScheme: 'light' },
  { name: 'print', width: 673, height: 952, media: 'print', colorScheme: 'light' },
] as const

const folder = fileURLToPath(new URL('../testdata/pictures/', import.meta.url))
const madeWith = join(folder, 'made-with.txt')

/** In the page: the share of pixels of two pictures that a reader would see differ. */
const differingShare = `async ([a, b]) => {
  const read = async (picture) => {
    const image = new Image()
    image.src = 'data:image/png;base64,' + picture
    await image.decode()
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d')
    context.drawImage(image, 0, 0)
    return context.getImageData(0, 0, image.width, image.height)
  }
  const [left, right] = [await read(a), await read(b)]
  if (left.width !== right.width || left.height !== right.height) return 1
  let differ = 0
  for (let at = 0; at < left.data.length; at += 4)
    if ([0, 1, 2].some((channel) => Math.abs(left.data[at + channel] - right.data[at + channel]) > 48)) differ++
  return differ / (left.data.length / 4)
}`

describe.skipIf(executable === undefined)('the first screen', { timeout: 600_000 }, () => {
  let browser: Browser
  let file: string
  let temporary: string
  let drawnWith: string

  beforeAll(async () => {
    temporary = mkdtempSync(join(tmpdir(), 'meshbench-pictures-'))
    file = join(temporary, 'report.html')
    const analysis = analyze(syntheticJournal({ rounds: 6, ratesPerSecond: [500, 1000] }))
    writeFileSync(file, await renderHtml(analysis, readAssets()))
    // As root, in a container, Chromium's own sandbox cannot start; the page is this test's own.
    browser = await chromium.launch({ executablePath: executable ?? '', args: ['--no-sandbox'] })
    const page = await browser.newPage()
    await page.setContent('<span style="font: 100px system-ui">Meshbench 0123456789</span>')
    const width: unknown = await page.evaluate('document.querySelector("span").getBoundingClientRect().width')
    drawnWith = `Chromium ${browser.version().split('.')[0] ?? ''}, text of ${String(width)} px`
    if (!existsSync(madeWith)) writeFileSync(madeWith, drawnWith)
    await page.close()
  }, 600_000)
  afterAll(async () => {
    await (browser as Browser | undefined)?.close()
    rmSync(temporary, { recursive: true, force: true })
  })

  async function open({ width, height, media, colorScheme }: (typeof views)[number]): Promise<Page> {
    const page = await browser.newPage({
      viewport: { width, height },
      colorScheme,
      reducedMotion: 'reduce',
      bypassCSP: true,
    })
    await page.emulateMedia({ media })
    await page.goto(pathToFileURL(file).href)
    return page
  }

  it.each(views)('looks as it did: $name', async (view) => {
    const page = await open(view)
    const height: unknown = await page.evaluate('document.documentElement.scrollHeight')
    console.log(`${view.name}: ${view.width} px wide, ${String(height)} px high with everything folded`)
    const picture = await page.screenshot()
    const kept = join(folder, `${view.name}.png`)
    const known = readFileSync(madeWith, 'utf8')
    if (!existsSync(kept)) writeFileSync(kept, picture)
    if (known === drawnWith) {
      const pair = JSON.stringify([readFileSync(kept), picture].map((png) => png.toString('base64')))
      expect(await page.evaluate(`(${differingShare})(${pair})`)).toBeLessThan(0.005)
    } else console.log(`not compared: drawn with ${drawnWith}, the picture with ${known}`)
    await page.close()
  })

  it('is printed whole, and what stays folded is named with where it can be read', async () => {
    const page = await open(views[4])
    const cut = await page.evaluate(`Array.from(document.querySelectorAll('main *'))
      .filter((element) => !element.parentElement.closest('svg') && element.checkVisibility())
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 ||
        (element.matches('.scroll, pre') && element.scrollWidth > element.clientWidth + 1))
      .map((element) => element.outerHTML.slice(0, 120))`)
    expect(cut).toEqual([])
    const folded: string[] =
      await page.evaluate(`Array.from(document.querySelectorAll('details:not([open]) > summary'))
      .filter((summary) => summary.checkVisibility())
      .map((summary) => summary.innerText + getComputedStyle(summary, '::after').content)`)
    expect(folded.length).toBeGreaterThan(10)
    for (const text of folded) expect(text).toMatch(/\S.* – not printed: .*report\.html.*journal\.jsonl/s)
    // Tables of charts share their words: their charts' titles tell them apart.
    expect(new Set(folded).size).toBe(folded.length)
    await page.close()
  })
})
