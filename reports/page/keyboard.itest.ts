/** Reads the report without script and without a mouse: every figure, fold and section must be within reach of the keyboard. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import { findChromium } from '../../harness/testing/chromium.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { readAssets } from '../testdata/assets.js'
import { renderHtml } from './render.js'

const executable = findChromium()
if (executable === undefined) console.log('skipped: no Chromium found; set CHROMIUM to the path of one')

/** Pressing hundreds of keys takes seconds; a busy machine may take minutes. */
const patienceMs = 600_000

/** In the page: text of every cell that can be seen, table by table. */
const cellsSeen = `Array.from(document.querySelectorAll('table'), (table) =>
  Array.from(table.querySelectorAll('th, td'), (cell) => (cell.checkVisibility() ? cell.innerText : 'unseen')))`

/** In the page: what has the focus. */
const focused = `(() => {
  const element = document.activeElement
  const fold = element.matches('details > summary') ? element.parentElement : undefined
  return { body: element === document.body, href: element.getAttribute('href'),
    fold: fold === undefined ? 'none' : fold.open ? 'open' : 'shut' }
})()`

interface Focused {
  readonly body: boolean
  readonly href: string | null
  readonly fold: 'none' | 'open' | 'shut'
}

describe.skipIf(executable === undefined)(
  'the report by keyboard, without script',
  { timeout: patienceMs },
  () => {
    let browser: Browser
    let folder: string

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'meshbench-keyboard-'))
      const analysis = analyze(syntheticJournal({ rounds: 3, ratesPerSecond: [500, 1000] }))
      writeFileSync(join(folder, 'report.html'), await renderHtml(analysis, readAssets()))
      // As root, in a container, Chromium's own sandbox cannot start; the page is this test's own.
      browser = await chromium.launch({ executablePath: executable ?? '', args: ['--no-sandbox'] })
    }, patienceMs)
    afterAll(async () => {
      await (browser as Browser | undefined)?.close()
      rmSync(folder, { recursive: true, force: true })
    })

    async function open(javaScriptEnabled: boolean): Promise<Page> {
      const page = await browser.newPage({
        viewport: { width: 1440, height: 900 },
        reducedMotion: 'reduce',
        javaScriptEnabled,
      })
      await page.goto(pathToFileURL(join(folder, 'report.html')).href)
      return page
    }

    /** Tab by Tab through the page until it ends; every fold on the way is opened, by Enter and Space in turn. */
    async function walk(page: Page): Promise<ReadonlySet<string>> {
      const hrefs = new Set<string>()
      for (let keys = 0, folds = 0; keys < 2000; keys++) {
        await page.keyboard.press('Tab')
        const at: Focused = await page.evaluate(focused)
        if (at.body) return hrefs
        if (at.href !== null) hrefs.add(at.href)
        if (at.fold === 'shut') {
          await page.keyboard.press(folds++ % 2 === 0 ? 'Enter' : 'Space')
          const opened: Focused = await page.evaluate(focused)
          expect(opened.fold).toBe('open')
        }
      }
      throw new Error('the page has no end for who goes through it by Tab')
    }

    it('opens every fold, shows every cell of every table and leads to every section', async () => {
      const [page, scripted] = [await open(false), await open(true)]
      const hrefs = await walk(page)
      expect(await page.locator('details:not([open])').count()).toBe(0)
      await scripted.evaluate('document.querySelectorAll("details").forEach((fold) => (fold.open = true))')
      const [plain, withScript] = (await Promise.all(
        [page, scripted].map((either) => either.evaluate(cellsSeen)),
      )) as [string[][], string[][]]
      expect(plain).toEqual(withScript)
      expect(plain.flat()).not.toContain('unseen')
      expect(plain.flat().length).toBeGreaterThan(500)
      // What works by script alone is not offered.
      expect(await page.locator('button:visible').count()).toBe(0)

      const sections: string[] = await page.evaluate(
        `Array.from(document.querySelectorAll('main section[id]'), ({ id }) => '#' + id)`,
      )
      expect(sections.length).toBeGreaterThan(6)
      expect(sections.filter((anchor) => !hrefs.has(anchor))).toEqual([])
      for (const anchor of sections) {
        await page.locator(`a[href="${anchor}"]:visible`).first().focus()
        await page.keyboard.press('Enter')
        await expect.poll(() => new URL(page.url()).hash).toBe(anchor)
        const inSight = `(() => {
          const { top, bottom } = document.querySelector('${anchor}').getBoundingClientRect()
          return bottom > 0 && top < innerHeight
        })()`
        await expect.poll(() => page.evaluate(inSight), { timeout: 60_000, message: anchor }).toBe(true)
      }
    })
  },
)
