import { describe, expect, it } from 'vitest'
import { compareRuns, renderComparison } from '../compare.js'
import { renderIndex } from '../index-page.js'
import { renderTerminal } from '../terminal.js'
import { readAssets } from '../testdata/assets.js'
import { hostileAnalysis } from '../testdata/hostile.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'
import { thresholdAnnotations } from '../annotations.js'
import { renderChartPng } from './chart-png.js'
import { renderChartSvg } from './chart-svg.js'
import { formats } from './index.js'

const sample = sampleAnalysis({ rounds: 4, rates: [1000] })
const hostile = hostileAnalysis()

describe('formats', () => {
  it('json gives back the analysis', () => {
    expect(JSON.parse(formats.json.render(sample))).toEqual(JSON.parse(JSON.stringify(sample)))
  })
  it('csv has a line per trial, and no cell that a spreadsheet would run', () => {
    const lines = formats.csv.render(sample).trimEnd().split('\r\n')
    expect(lines).toHaveLength(sample.trials.length + 1)
    expect(
      formats.csv.render({ ...hostile, trials: [{ ...hostile.trials[0]!, reasons: ['=1+1', 'a"b'] }] }),
    ).toContain(`"'=1+1; a""b`)
  })
  it('junit counts failures, skips what is undecided and never fails a claim', () => {
    const [threshold] = sample.thresholds
    const failing = {
      ...sample,
      thresholds: [
        threshold!,
        { ...threshold!, state: 'fail' as const },
        { ...threshold!, state: 'inconclusive' as const },
      ],
    }
    const xml = formats.junit.render(failing)
    expect(xml).toContain('tests="6" failures="1" skipped="3"')
    expect(xml.match(/<failure /g)).toHaveLength(1)
    expect(formats.junit.render(hostile)).not.toMatch(/<script|<svg|<img/)
  })
  it('openmetrics is in base units, well formed and ends as it must', () => {
    const text = formats.openmetrics.render(sample)
    expect(text.endsWith('# EOF\n')).toBe(true)
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^(# |[a-z_]+\{([a-z_]+="(\\.|[^"\\])*",?)*\} -?[\d.e+-]+$)/)
    const median = sample.cells[0]!.response!['50']!.value
    expect(text).toContain(`percentile="50",bound="value"} ${median * 1e-3}`)
    for (const line of formats.openmetrics.render(hostile).trimEnd().split('\n'))
      expect(line).toMatch(/^(# |meshbench_)/)
  })
  it('markdown escapes what could become a link, an image or HTML', () => {
    expect(formats.markdown.render(sample)).toContain('| L4-L7-L4 |')
    expect(formats.markdown.render(sample)).toMatch(/\| A\/A twin \| [+−\d]/)
    expect(formats.markdown.render(hostile)).not.toMatch(/[^\\]<(script|img|svg)/)
  })
  it('a chart stands alone in both themes', async () => {
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
  it('a chart becomes a PNG whose text shows, the same on every machine', async () => {
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

describe('annotations', () => {
  it('are one line each, whatever the journal says', () => {
    const [threshold] = sample.thresholds
    const lines = thresholdAnnotations({
      thresholds: [
        { ...threshold!, state: 'pass' },
        { ...threshold!, state: 'fail', sentence: 'a\n::set-output name=x::100%' },
        { ...threshold!, state: 'no data' },
      ],
    })
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/^::error title=Meshbench%3A threshold failed::a.*100%25$/)
    expect(lines[1]).toMatch(/^::notice title=/)
    expect(lines.join('')).not.toContain('\n')
  })
})

describe('the terminal summary', () => {
  it('fits its width, tells the noise floor, and is plain without colour', () => {
    const text = renderTerminal(sample, { columns: 100, colour: false })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    expect(text).toContain('A/A difference')
    // eslint-disable-next-line no-control-regex
    expect(renderTerminal(hostile, { columns: 80, colour: false })).not.toMatch(/[\u0000\u0007\u001b\u202e]/)
  })
})

describe('two runs', () => {
  it('are compared with what differs, and refused on another host or plan', () => {
    expect(compareRuns(sample, sample)).toMatchObject({
      objections: [],
      differences: [],
      onlyA: [],
      onlyB: [],
    })
    const other = {
      ...sample,
      planHash: 'x',
      host: { ...sample.host, hostKey: 'y' },
      config: { ...sample.config, seed: 2 },
    }
    const result = compareRuns(sample, other)
    expect(result.objections).toHaveLength(2)
    expect(result.differences.map(({ what }) => what)).toContain('config.seed')
    expect(renderComparison(sample, other, readAssets(), true)).toContain(
      'Compared because it was asked for.',
    )
    expect(renderComparison(hostile, hostile, readAssets(), true)).not.toMatch(/<img|onerror="/)
  })
  it('differ only where their intervals do not touch', () => {
    const [first, ...rest] = sample.comparisons
    const moved = { ...first!, ratio: { ...first!.ratio, value: 9, low: 8, high: 10 } }
    const found = compareRuns(sample, { ...sample, comparisons: [moved, ...rest] }).figures.filter(
      ({ apart }) => apart,
    )
    expect(found.map(({ comparison }) => comparison.id)).toEqual([first!.id])
  })
  it('have an index, newest first, that links only beside itself', async () => {
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
