import { expect, test } from 'vitest'
import type { Analysis, ThresholdVerdict } from '../../harness/model.js'
import { renderIndex } from './index-page.js'
import { readAssets } from '../testdata/assets.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'

test('the front page calls thresholds passed only when all of them are', async () => {
  const sample = sampleAnalysis({ rounds: 2, rates: [1000] })
  const page = (...states: ThresholdVerdict['state'][]) => {
    const [threshold] = sample.thresholds
    const thresholds = states.map((state) => ({ ...threshold!, state }))
    return renderIndex([{ analysis: { ...sample, thresholds }, href: 'a/report.html' }], readAssets())
  }
  expect(await page('pass', 'pass')).toContain('>pass<')
  const open = await page('pass', 'inconclusive', 'no data', 'fail', 'fail')
  expect(open).toContain('2 failed, 1 inconclusive, 1 no data')
  expect(await page('pass', 'inconclusive')).not.toContain('>pass<')
})

/** Runs of one plan, oldest first; from a run on, the CPU of one arm is another. */
function runsWithStep(count: number, from: number, factor: number, loadLabel?: string) {
  const sample = sampleAnalysis({ rounds: 3, rates: [1000] })
  return Array.from({ length: count }, (_, run) => {
    const noise = 1 + ((run * 7) % 5) / 500
    const comparisons = sample.comparisons.map((comparison): Analysis['comparisons'][number] => {
      const by = noise * (run >= from && comparison.arm === 'reference/l4-l7-l4' ? factor : 1)
      const { value, low, high } = comparison.ratio
      const ratio = { ...comparison.ratio, value: value * by, low: low * by, high: high * by }
      return { ...comparison, ratio }
    })
    const analysis = {
      ...sample,
      comparisons,
      runId: `run ${run + 1}`,
      startedAt: `2026-11-${10 + run}T10:00:00.000Z`,
    }
    return {
      analysis:
        loadLabel === undefined ? analysis : { ...analysis, host: { ...analysis.host, hostKey: loadLabel } },
      href: `pr-${run}+fix@münchen/report.html`,
    }
  })
}

test('a step between runs is marked, and named with its size and the run', async () => {
  const html = await renderIndex(runsWithStep(9, 6, 1.15), readAssets())
  expect(html).toMatch(/L4-L7-L4 \+1[3-7] % from run 7 on/)
  expect(html).toContain('href="pr-0%2Bfix%40m%C3%BCnchen/report.html"')
  expect(await renderIndex(runsWithStep(9, 9, 1.15), readAssets())).toContain('over 9 runs: no step')
})

test('runs of another host are no part of a line', async () => {
  const html = await renderIndex(
    [...runsWithStep(4, 9, 1), ...runsWithStep(5, 0, 1.5, 'elsewhere')],
    readAssets(),
  )
  expect(html).toContain('over 4 runs')
  expect(html).toContain('over 5 runs')
  expect(html).not.toContain('over 9 runs')
})
