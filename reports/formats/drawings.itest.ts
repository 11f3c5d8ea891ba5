/** What is drawn by itself: charts in files of their own, and the trends on the front page of several runs. */
import { describe, expect, it } from 'vitest'
import { renderIndex } from '../index/index-page.js'
import { readAssets } from '../testdata/assets.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'
import { renderChartPng, renderChartSvg } from './chart-svg.js'

const sample = sampleAnalysis({ rounds: 4, rates: [1000] })

describe('a chart', () => {
  it('stands alone in both themes', async () => {
    const light = await renderChartSvg(sample, 'cpu-bill', 'light', readAssets())
    const dark = await renderChartSvg(sample, 'cpu-bill', 'dark', readAssets())
    expect(light).toContain('fill="#ffffff"')
    expect(dark).toContain('fill="#131518"')
    for (const svg of [light, dark]) {
      expect(svg).not.toContain('var(')
      expect(svg).toContain('>waypoint-proxy</text>')
    }
    // Every path keeps its colour.
    for (const { colour } of sample.paths.slice(1)) expect(light).toContain(colour.light)
  })
  it('becomes a PNG whose text shows, the same on every machine', async () => {
    const assets = readAssets()
    const draw = (fontFiles: readonly string[]) =>
      renderChartPng(sample, 'cpu-bill', 'light', { ...assets, fontFiles })
    const png = Buffer.from((await draw(assets.fontFiles))!)
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    expect(png.readUInt32BE(16)).toBeGreaterThan(1600)
    const without = Buffer.from((await draw([]))!)
    // The same picture without letters packs much better.
    expect(png.length).toBeGreaterThan(1.5 * without.length)
  })
})

describe('the index', () => {
  it('lists runs newest first and links only beside itself', async () => {
    const older = { ...sample, runId: 'older', startedAt: '2025-01-01T00:00:00.000Z' }
    const html = await renderIndex(
      [
        { analysis: older, href: 'older/report.html' },
        { analysis: sample, href: 'javascript:alert(1)' },
      ],
      readAssets(),
    )
    const list = html.slice(html.indexOf('All runs'))
    expect(list.indexOf(sample.runId)).toBeLessThan(list.indexOf('>older<'))
    // The trend's table reads from left to right.
    expect(html.indexOf('>older</th>')).toBeLessThan(html.indexOf(`>${sample.runId}</th>`))
    expect(html).toContain('href="older/report.html"')
    expect(html).not.toContain('javascript:alert')
  })
})
