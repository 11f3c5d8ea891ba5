/** Opens the report in a real browser: nothing may go wrong, out, or over the edge, in either theme, at any width. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import { findChromium } from '../../harness/testing/chromium.js'
import { readJournal } from '../../harness/run/journal.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { renderCsv } from '../formats/csv.js'
import type { Analysis } from '../../harness/model.js'
import { renderHtml } from './render.js'
import { axeFindings } from '../testdata/accessible.js'
import { readAssets } from '../testdata/assets.js'
import { hostileAnalysis } from '../testdata/hostile.js'

const executable = findChromium()
if (executable === undefined) console.log('skipped: no Chromium found; set CHROMIUM to the path of one')

/** In the page: text of drawings that too few pixels beneath it set off by 4.5 : 1; a tenth may be lines that cross it. */
const faintText = `async (picture) => {
  const image = new Image()
  image.src = 'data:image/png;base64,' + picture
  await image.decode()
  const canvas = new OffscreenCanvas(image.width, image.height)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  context.drawImage(image, 0, 0)
  const light = (r, g, b) => {
    const [x, y, z] = [r, g, b].map((channel) =>
      channel / 255 <= 0.03928 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const faint = []
  for (const text of document.querySelectorAll('svg text')) {
    const box = text.getBoundingClientRect()
    const [x, y] = [Math.max(0, Math.floor(box.left + scrollX)), Math.max(0, Math.floor(box.top + scrollY))]
    const [width, height] = [Math.floor(box.width), Math.floor(box.height)]
    if (width < 2 || height < 2 || text.closest('details:not([open])')) continue
    const ink = light(...getComputedStyle(text).fill.match(/\\d+/g).map(Number))
    const { data } = context.getImageData(x, y, width, height)
    let low = 0
    for (let at = 0; at < data.length; at += 4) {
      const ground = light(data[at], data[at + 1], data[at + 2])
      if ((Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05) < 4.5) low++
    }
    if (low > (data.length / 4) * 0.1) faint.push(text.textContent + ' in ' + (text.closest('[id]')?.id ?? ''))
  }
  return faint
}`

interface Opened {
  readonly page: Page
  /** Console errors, page errors and requests beyond the file itself. */
  readonly complaints: string[]
}

/** Drawing two pages takes seconds; a busy machine may take minutes. */
const patienceMs = 600_000

describe.skipIf(executable === undefined)('the report in Chromium', { timeout: patienceMs }, () => {
  let browser: Browser
  let folder: string
  let honest: Analysis
  let files: Readonly<Record<'honest' | 'hostile' | 'varied', string>>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'meshbench-report-'))
    const file = (name: string) => join(folder, `${name}.html`)
    files = { honest: file('report'), hostile: file('hostile'), varied: file('varied') }
    const assets = readAssets()
    honest = analyze(syntheticJournal({ rounds: 6, ratesPerSecond: [500, 1000] }))
    writeFileSync(files.honest, await renderHtml(honest, assets))
    writeFileSync(files.hostile, await renderHtml(hostileAnalysis(), assets))
    const variants = readJournal('harness/testdata/journals/variants').entries
    writeFileSync(files.varied, await renderHtml(analyze(variants), assets))
    // As root, in a container, Chromium's own sandbox cannot start; the pages are this test's own.
    browser = await chromium.launch({ executablePath: executable ?? '', args: ['--no-sandbox'] })
  }, patienceMs)
  afterAll(async () => {
    await (browser as Browser | undefined)?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function open(
    file: string,
    options: { width?: number; colorScheme?: 'light' | 'dark'; javaScriptEnabled?: boolean } = {},
  ): Promise<Opened> {
    const { width = 1440, ...context } = options
    // The policy of the page forbids inline script, which is how axe gets in; it is tested apart.
    const page = await browser.newPage({ viewport: { width, height: 900 }, bypassCSP: true, ...context })
    const complaints: string[] = []
    const url = pathToFileURL(file).href
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      if (!request.url().startsWith(url)) complaints.push(`request: ${request.url()}`)
    })
    await page.goto(url)
    return { page, complaints }
  }

  for (const width of [390, 768, 1440]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`is whole and accessible at ${width} px, ${colorScheme}`, async () => {
        const { page, complaints } = await open(files.honest, { width, colorScheme })
        expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(
          0,
        )
        expect(await axeFindings(page)).toEqual([])
        expect(complaints).toEqual([])
        await page.close()
      })
    }
  }

  it('holds verdicts in their columns on a phone', async () => {
    const { page } = await open(files.varied, { width: 390 })
    expect(await page.evaluate('document.querySelectorAll(".prow .chip").length')).toBeGreaterThan(0)
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
    await page.close()
  })

  it.each(['light', 'dark'] as const)(
    'sets off the text of its drawings by 4.5 : 1, %s',
    async (colorScheme) => {
      const { page } = await open(files.honest, { colorScheme })
      await page.evaluate('document.querySelectorAll("details").forEach((fold) => (fold.open = true))')
      await page.addStyleTag({
        content: 'svg text { visibility: hidden } table, pre, .path { display: none !important }',
      })
      const picture = await page.screenshot({ fullPage: true, timeout: 0 })
      expect(await page.evaluate(`(${faintText})("${picture.toString('base64')}")`)).toEqual([])
      await page.close()
    },
  )

  it.each([
    [1440, 900],
    [390, 844],
  ])(
    'answers on the first screen of %i × %i px, and is short with everything folded',
    async (width, height) => {
      const { page } = await open(files.honest, { width })
      const bottom = await page.evaluate(
        'Math.max(...Array.from(document.querySelectorAll("#answer .glance"), (glance) => glance.getBoundingClientRect().bottom))',
      )
      expect(bottom).toBeLessThanOrEqual(height)
      if (width === 1440)
        expect(await page.evaluate('document.documentElement.scrollHeight')).toBeLessThanOrEqual(7000)
      await page.close()
    },
  )

  it('obeys its own policy: no complaint and no request with the policy in force', async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(pathToFileURL(files.honest).href)
    expect(await page.evaluate('document.documentElement.classList.contains("js")')).toBe(true)
    expect(complaints).toEqual([])
    const blocked = await page.evaluate(
      'fetch("https://example.invalid").then(() => "went out", () => "blocked")',
    )
    expect(blocked).toBe('blocked')
    expect(complaints.some((text) => text.includes('Content Security Policy'))).toBe(true)
    await context.close()
  })

  it('can be read without script', async () => {
    const { page, complaints } = await open(files.honest, { javaScriptEnabled: false, width: 390 })
    expect(await page.locator('h1').innerText()).toMatch(/cheapest|least CPU/)
    expect(await page.locator('.drawing svg').count()).toBeGreaterThan(8)
    await page.locator('#all-trials > summary').click()
    expect(await page.locator('#all-trials tbody tr').first().isVisible()).toBe(true)
    expect(complaints).toEqual([])
    await page.close()
  })

  it('explains a figure when pointed at, clicked and reached by keyboard', async () => {
    const { page } = await open(files.honest)
    const figure = page.locator('.picture .fig').first()
    await figure.hover()
    expect(await page.locator('#tip').innerText()).toMatch(/n = \d+ rounds/)
    await figure.click()
    await page.mouse.move(5, 5)
    expect(await page.locator('#tip').isVisible()).toBe(true)
    expect(await page.locator('#tip').innerText()).toContain('latency|')
    await page.locator('#tip a').click()
    expect(await page.locator('#all-trials tr.behind').first().isVisible()).toBe(true)
    await figure.click()
    await page.keyboard.press('Escape')
    expect(await page.locator('#tip').isVisible()).toBe(false)
    await page.locator('.picture .fig').nth(1).focus()
    expect(await page.locator('#tip').isVisible()).toBe(true)
    await page.close()
  })

  it('highlights an arm everywhere and lets go of it', async () => {
    const { page } = await open(files.honest)
    const dimmed = () => page.locator('svg .dimmed').count()
    await page.locator('#arm-picker button').nth(2).click()
    expect(await dimmed()).toBeGreaterThan(20)
    const key = await page.locator('#arm-picker button').nth(2).getAttribute('value')
    expect(await page.locator(`svg [data-arm="${key ?? ''}"].dimmed`).count()).toBe(0)
    await page.locator('#arm-picker button').nth(2).click()
    expect(await dimmed()).toBe(0)
    // Arms whose names tell a build are longer than the column of contents is wide.
    const overlap = await page.evaluate(`(() => {
      const name = document.querySelector('#arm-picker .arm')
      name.textContent = 'mesh-of-a-product L4-L7-L4 (somebody’s proxy 1.40)'
      return name.getBoundingClientRect().right - document.querySelector('main').getBoundingClientRect().left
    })()`)
    expect(overlap).toBeLessThan(0)
    await page.close()
  })

  it('switches theme, and downloads what it was made from', async () => {
    const { page } = await open(files.honest, { colorScheme: 'light' })
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const before = await ground()
    await page.locator('#tools button').click()
    expect(await ground()).not.toBe(before)
    const downloaded = async (button: number) => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.locator('#downloads button').nth(button).click(),
      ])
      return readFileSync(await download.path(), 'utf8')
    }
    const there = JSON.parse(await downloaded(0)) as Analysis
    expect(there.schema).toBe(1)
    expect(there.trials[0]?.cell).toMatch(/^latency\|/)
    // The page carries figures with fewer digits, and is otherwise what `--format csv` writes.
    const withFewer = (text: string) =>
      text.replace(/(?<=,)\d+\.\d+(?=,)/g, (digits) => String(Number(Number(digits).toPrecision(6))))
    expect(await downloaded(1)).toBe(withFewer(renderCsv(honest)))
    await page.close()
  })

  it('prints', async () => {
    const { page } = await open(files.honest)
    const pdf = await page.pdf({ format: 'A4' })
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    expect(pdf.length).toBeGreaterThan(50_000)
    // Pages of a document are its objects of that type.
    expect(pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length).toBeLessThanOrEqual(10)
    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('.toc').isVisible()).toBe(false)
    await page.close()
  })

  it('stays inert when the journal is hostile', async () => {
    const { page, complaints } = await open(files.hostile, { width: 390 })
    await page.evaluate('document.querySelectorAll("details").forEach((fold) => (fold.open = true))')
    await page.mouse.move(100, 300)
    expect(await page.evaluate('window.pwned')).toBeUndefined()
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
    expect(complaints).toEqual([])
    await page.close()
  })
})
