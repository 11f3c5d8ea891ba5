/** Opens the report in a real browser: nothing may go wrong, out, or over the edge, in either theme, at any width. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import { findChromium } from '../../harness/testing/chromium.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { renderHtml } from './render.js'
import { readAssets } from '../testdata/assets.js'
import { hostileAnalysis } from '../testdata/hostile.js'

const executable = findChromium()
if (executable === undefined) console.log('skipped: no Chromium found; set CHROMIUM to the path of one')

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeResult {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
  }[]
}

interface Opened {
  readonly page: Page
  /** Console errors, page errors and requests beyond the file itself. */
  readonly complaints: string[]
}

describe.skipIf(executable === undefined)('the report in Chromium', () => {
  let browser: Browser
  let folder: string
  let files: Readonly<Record<'honest' | 'hostile', string>>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'meshbench-report-'))
    files = { honest: join(folder, 'report.html'), hostile: join(folder, 'hostile.html') }
    const assets = readAssets()
    const analysis = analyze(syntheticJournal({ rounds: 6, ratesPerSecond: [500, 1000] }))
    writeFileSync(files.honest, await renderHtml(analysis, assets))
    writeFileSync(files.hostile, await renderHtml(hostileAnalysis(), assets))
    // As root, in a container, Chromium's own sandbox cannot start; the pages are this test's own.
    browser = await chromium.launch({ executablePath: executable ?? '', args: ['--no-sandbox'] })
  })
  afterAll(async () => {
    await browser.close()
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
        await page.addScriptTag({ content: axeSource })
        const found: AxeResult = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')
        const serious = found.violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
        expect(
          serious.map(
            ({ id, nodes }) =>
              `${id}: ${nodes
                .slice(0, 3)
                .map((node) => node.html + node.failureSummary)
                .join(' | ')}`,
          ),
        ).toEqual([])
        expect(complaints).toEqual([])
        await page.close()
      })
    }
  }

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
    expect(await page.locator('h1').innerText()).toMatch(/median request/)
    expect(await page.locator('.drawing svg').count()).toBeGreaterThan(8)
    await page.locator('#all-trials > summary').click()
    expect(await page.locator('#all-trials tbody tr').first().isVisible()).toBe(true)
    expect(complaints).toEqual([])
    await page.close()
  })

  it('explains a figure when pointed at, clicked and reached by keyboard', async () => {
    const { page } = await open(files.honest)
    const figure = page.locator('.qa .fig').first()
    await figure.hover()
    expect(await page.locator('#tip').innerText()).toMatch(/n = \d+ rounds/)
    await figure.click()
    await page.mouse.move(5, 5)
    expect(await page.locator('#tip').isVisible()).toBe(true)
    expect(await page.locator('#tip').innerText()).toContain('latency|')
    await page.keyboard.press('Escape')
    expect(await page.locator('#tip').isVisible()).toBe(false)
    await page.locator('.qa .fig').nth(1).focus()
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
    await page.close()
  })

  it('switches theme, and downloads what it was made from', async () => {
    const { page } = await open(files.honest, { colorScheme: 'light' })
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const before = await ground()
    await page.locator('#tools button').click()
    expect(await ground()).not.toBe(before)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('#downloads button').first().click(),
    ])
    const there = JSON.parse(readFileSync(await download.path(), 'utf8')) as {
      trials: { cell: string }[]
      schema: number
    }
    expect(there.schema).toBe(1)
    expect(there.trials[0]?.cell).toMatch(/^latency\|/)
    await page.close()
  })

  it('prints', async () => {
    const { page } = await open(files.honest)
    const pdf = await page.pdf({ format: 'A4' })
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    expect(pdf.length).toBeGreaterThan(50_000)
    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('.toc').isVisible()).toBe(false)
    await page.close()
  })

  it('stays inert when the journal is hostile', async () => {
    const { page, complaints } = await open(files.hostile, { width: 390 })
    await page.evaluate('document.querySelectorAll("details").forEach((one) => (one.open = true))')
    await page.mouse.move(100, 300)
    expect(await page.evaluate('window.pwned')).toBeUndefined()
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
    expect(complaints).toEqual([])
    await page.close()
  })
})
