import { expect, test } from 'vitest'
import type { ThresholdVerdict } from '../../harness/model.js'
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
