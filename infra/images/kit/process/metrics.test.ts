/** The registry's text is what Prometheus reads, and workers' registries add up. */
import { describe, expect, it } from 'vitest'
import { createRegistry, mergeSnapshots, renderSnapshot } from './metrics.js'

describe('a registry', () => {
  it('renders counters, gauges and histograms as Prometheus reads them', () => {
    const registry = createRegistry()
    registry.counter('a_total', 'Counts "a".', ['peer']).labels('x"y\\z\n').add(2)
    registry.gauge('g', 'A gauge.').labels().set(1.5)
    const histogram = registry.histogram('h_seconds', 'A histogram.', ['l'], [0.1, 1]).labels('v')
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value)
    expect(registry.render()).toBe(`# HELP a_total Counts "a".
# TYPE a_total counter
a_total{peer="x\\"y\\\\z\\n"} 2
# HELP g A gauge.
# TYPE g gauge
g 1.5
# HELP h_seconds A histogram.
# TYPE h_seconds histogram
h_seconds_bucket{l="v",le="0.1"} 2
h_seconds_bucket{l="v",le="1"} 3
h_seconds_bucket{l="v",le="+Inf"} 4
h_seconds_sum{l="v"} 7.65
h_seconds_count{l="v"} 4
`)
  })

  it('gives the same child for the same labels, and refuses another shape', () => {
    const registry = createRegistry()
    const metric = registry.counter('a_total', 'A.', ['l'])
    expect(metric.labels('x')).toBe(registry.counter('a_total', 'A.', ['l']).labels('x'))
    expect(() => registry.gauge('a_total', 'A.', ['l'])).toThrow('already registered')
    expect(() => metric.labels()).toThrow('1 labels')
  })

  it('collects just before it is read', () => {
    const registry = createRegistry()
    const cell = registry.gauge('g', 'G.').labels()
    registry.onCollect(() => {
      cell.set(42)
    })
    expect(registry.render()).toContain('g 42')
  })

  it('counts label values without end into one child', () => {
    const registry = createRegistry()
    const metric = registry.counter('a_total', 'A.', ['peer'])
    for (let i = 0; i < 3000; i += 1) metric.labels(`peer ${i}`).add()
    expect(registry.render()).toContain('a_total{peer="other"} 1000')
  })
})

describe('mergeSnapshots', () => {
  it('adds up children by labels, and keeps those of one side', () => {
    const first = createRegistry()
    const second = createRegistry()
    first.counter('a_total', 'A.', ['l']).labels('x').add(1)
    second.counter('a_total', 'A.', ['l']).labels('x').add(2)
    second.counter('a_total', 'A.', ['l']).labels('y').add(4)
    first.histogram('h', 'H.', [], [1]).labels().observe(0.5)
    second.histogram('h', 'H.', [], [1]).labels().observe(3)
    const text = renderSnapshot(mergeSnapshots([first.snapshot(), second.snapshot()]))
    expect(text).toContain('a_total{l="x"} 3')
    expect(text).toContain('a_total{l="y"} 4')
    expect(text).toContain('h_bucket{le="1"} 1')
    expect(text).toContain('h_bucket{le="+Inf"} 2')
    expect(text).toContain('h_sum 3.5')
  })
})
