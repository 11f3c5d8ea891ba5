import { describe, expect, test } from 'vitest'
import { createFigureBook } from '../../page/figures.js'
import { renderMarkdown } from '../../formats/markdown.js'
import { buildAnswer } from '../../page/sections/answer.js'
import { twoEnvironments } from '../../testdata/two-environments.js'
import { createView } from '../../page/view.js'
import { addedLatency } from '../latency/added-latency.js'
import { noise } from './noise.js'

describe('two environments', () => {
  const analysis = twoEnvironments()
  const view = createView(analysis)
  const [quiet, noisy] = ['istio-ambient', 'cilium'].map((mesh) => `${mesh}/baseline-twin`) as [
    string,
    string,
  ]
  const floor = (twin: string) => view.added(twin, 'latency', { percentile: 50 })?.estimate.value

  test('have a noise floor each, under names of their own', () => {
    expect(floor(noisy)).toBe(7.77)
    expect(floor(quiet)).toBeLessThan(1)
    expect([quiet, noisy].map((id) => view.arm(id).label)).toEqual([
      'istio-ambient A/A twin',
      'cilium A/A twin',
    ])
    const answer = buildAnswer(view, createFigureBook())
    const twins = answer.pictures
      .flatMap(({ rows }) => rows)
      .filter(({ kind }) => kind === 'twin')
      .map(({ cells }) => cells[0]?.html.includes('7.77') ?? false)
    expect(twins).toEqual([false, true])
    const rows = renderMarkdown(analysis)
      .split('\n')
      .filter((line) => line.includes(' twin |'))
    expect(rows.map((line) => line.includes('7.77') || line.includes('7.8'))).toEqual([false, true])
    expect(answer.trust[0]?.html).toMatch(/\(kind\/cilium\): a difference where there is none/)
  })

  test('have rows of their own among the A/A differences', () => {
    const chart = noise(view, createFigureBook())
    const loads = chart?.table.rows.map(
      ([load, measure]) => `${JSON.stringify(load)} ${JSON.stringify(measure)}`,
    )
    expect(new Set(loads).size).toBe(loads?.length)
    const rows = new Set(JSON.stringify(chart?.spec('wide')).match(/"arm":"[^"]+"/g))
    expect(rows.size).toBe(loads?.length)
  })

  test('share a band as wide as the wider of their floors', () => {
    const chart = addedLatency(view, createFigureBook())
    expect(chart?.caption).toContain('the widest of 2 environments')
    expect(JSON.stringify(chart?.spec('wide'))).toMatch(/"to":8[,}]/)
  })
})
