/** Opens the comparison and the index in a real browser: accessible, and not over the edge, in either theme, at any width. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import type { Analysis } from '../../harness/model.js'
import { readJournal } from '../../harness/run/journal.js'
import { findChromium } from '../../harness/testing/chromium.js'
import { renderComparison } from './compare-page.js'
import { renderIndex } from '../index/index-page.js'
import { axeFindings } from '../testdata/accessible.js'
import { readAssets } from '../testdata/assets.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'

const executable = findChromium()
if (executable === undefined) console.log('skipped: no Chromium found; set CHROMIUM to the path of one')

/** Drawing takes seconds; a busy machine may take minutes. */
const patienceMs = 600_000

/** Runs of one plan, oldest first: the later ones use more CPU, and the last is another host's. */
function manyRuns(): readonly Analysis[] {
  const sample = sampleAnalysis({ rounds: 3, rates: [1000] })
  return Array.from({ length: 8 }, (_, run) => ({
    ...sample,
    runId: `2026-11-1${run}T10-00-00-nightly`,
    startedAt: `2026-11-1${run}T10:00:00.000Z`,
    host: run === 7 ? { ...sample.host, hostKey: 'elsewhere', cpuModel: 'Another CPU 3.1 GHz' } : sample.host,
    comparisons: sample.comparisons.map((comparison) => {
      const by = (1 + ((run * 7) % 5) / 500) * (run >= 4 ? 1.3 : 1)
      const { value, low, high } = comparison.ratio
      return {
        ...comparison,
        ratio: { ...comparison.ratio, value: value * by, low: low * by, high: high * by },
      }
    }),
  }))
}

describe.skipIf(executable === undefined)('pages beside the report', { timeout: patienceMs }, () => {
  let browser: Browser
  let folder: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'meshbench-pages-'))
    const [assets, runs] = [readAssets(), manyRuns()]
    const [first, last] = [runs[0], runs.at(-1)]
    if (first === undefined || last === undefined) throw new Error('there are no runs')
    writeFileSync(join(folder, 'compare.html'), renderComparison(first, last, assets, true))
    const [before, after] = ['quick-local', 'variants'].map((name) =>
      analyze(readJournal(`harness/testdata/journals/${name}`).entries),
    ) as [Analysis, Analysis]
    writeFileSync(join(folder, 'other-plan.html'), renderComparison(before, after, assets, true))
    const indexed = runs.map((analysis) => ({ analysis, href: `${analysis.runId}/report.html` }))
    writeFileSync(join(folder, 'index.html'), await renderIndex(indexed, assets))
    // As root, in a container, Chromium's own sandbox cannot start; the pages are this test's own.
    browser = await chromium.launch({ executablePath: executable ?? '', args: ['--no-sandbox'] })
  }, patienceMs)
  afterAll(async () => {
    await (browser as Browser | undefined)?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  describe.each(['compare', 'other-plan', 'index'])('the page %s', (name) => {
    it.each([
      [390, 'light'],
      [390, 'dark'],
      [768, 'light'],
      [768, 'dark'],
      [1440, 'light'],
      [1440, 'dark'],
    ] as const)('is whole and accessible at %i px, %s', async (width, colorScheme) => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, bypassCSP: true, colorScheme })
      await page.goto(pathToFileURL(join(folder, `${name}.html`)).href)
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
      expect(await axeFindings(page)).toEqual([])
      await page.evaluate('document.querySelectorAll("details").forEach((fold) => (fold.open = true))')
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
      await page.close()
    })
  })

  it('shows what differs between plans beside each other, on a phone too', async () => {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
    await page.goto(pathToFileURL(join(folder, 'other-plan.html')).href)
    const frame = 'document.querySelector("#answer table").parentElement'
    expect(await page.evaluate(`${frame}.scrollWidth - ${frame}.clientWidth`)).toBeLessThanOrEqual(0)
    await page.setViewportSize({ width: 390, height: 844 })
    const last = 'document.querySelector("#answer tbody td:last-child")'
    expect(await page.evaluate(`innerWidth - ${last}.getBoundingClientRect().left`)).toBeGreaterThan(100)
    await page.close()
  })
})
