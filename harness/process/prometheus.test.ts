import { describe, expect, test } from 'vitest'

import { parsePrometheus, selectSamples, sumSamples } from './prometheus.js'

describe('parsePrometheus', () => {
  test('reads names, labels, values, timestamps, exemplars and comments', () => {
    const samples = parsePrometheus(
      [
        '# HELP istio_requests_total requests',
        '# TYPE istio_requests_total counter',
        'istio_requests_total{reporter="destination",response_code="200"} 42',
        'up 1 1700000000000',
        'latency_bucket{le="+Inf"} 1e+03 # {trace_id="x"} 0.5 1700000000.1',
        'with_trailing_comma{a="b",} -0.5\r',
        'empty{} NaN',
        '# EOF',
        '',
      ].join('\n'),
    )
    expect(samples.map((sample) => [sample.name, sample.value])).toEqual([
      ['istio_requests_total', 42],
      ['up', 1],
      ['latency_bucket', 1000],
      ['with_trailing_comma', -0.5],
      ['empty', Number.NaN],
    ])
    expect(samples[0]?.labels).toEqual({ reporter: 'destination', response_code: '200' })
  })

  test('unescapes label values and keeps braces, commas and spaces inside quotes', () => {
    const [sample] = parsePrometheus('a{path="C:\\\\x \\"q\\"\\n",other="{},= #"} 1')
    expect(sample?.labels).toEqual({ path: 'C:\\x "q"\n', other: '{},= #' })
  })

  test.each([
    ['<html>502 Bad Gateway</html>', 'no metric name'],
    ['upstream connect error or disconnect', 'no value after the series'],
    ['upstream unavailable', 'is not a number'],
    ['truncated{reporter="sou', 'label value does not end'],
    ['truncated_total', 'no value'],
    ['no_value{a="b"}', 'no value'],
    ['a{b=c} 1', 'no quoted value'],
    ['a{b="c" d="e"} 1', 'expected "," or "}"'],
    ['a{b="c",b="d"} 1', 'occurs twice'],
    ['a{b="\\t"} 1', 'unknown escape'],
    ['a 0x10', 'is not a number'],
    ['a 1 2 3', 'no value after the series'],
  ])('refuses %s', (line, problem) => {
    const parse = () => parsePrometheus(`ok 1\n${line}\n`)
    expect(parse).toThrow(problem)
    expect(parse).toThrow('metrics line 2')
  })
})

describe('sumSamples', () => {
  const samples = parsePrometheus(
    [
      'c{reporter="source",policy="unknown"} 5',
      'c{reporter="destination",policy="mutual_tls"} 7',
      'c{reporter="destination",policy="none"} 11',
      'c_other{reporter="destination"} 13',
    ].join('\n'),
  )

  test('adds the series that match every label', () => {
    expect(sumSamples(samples, 'c')).toBe(23)
    expect(sumSamples(samples, 'c', { reporter: 'destination' })).toBe(18)
    expect(sumSamples(samples, 'c', { reporter: 'destination', policy: 'mutual_tls' })).toBe(7)
    expect(sumSamples(samples, 'c', { policy: (value) => value !== 'mutual_tls' })).toBe(16)
  })

  test('an absent series counts 0 and an absent label is empty', () => {
    expect(sumSamples(samples, 'd')).toBe(0)
    expect(selectSamples(samples, 'c_other', { policy: '' })).toHaveLength(1)
  })
})
