/**
 * Reads the Prometheus text format, because every mesh tells what it carried in it and a proof of path must not rest
 * on a lenient reading.
 *
 * Covers the text format 0.0.4 and what ztunnel writes of OpenMetrics 1.0 (`# EOF`, `# UNIT`, exemplars).
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import { messageOf } from '../model/errors.js'

/** One line of an exposition: a series and its value at one instant. */
export interface Sample {
  /** Full metric name, suffixes such as `_total` and `_bucket` included. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** NaN and infinities occur. */
  readonly value: number
}

/** Labels that a series must have: an exact value, or a test of the value (`''` when the label is absent). */
export type LabelMatch = Readonly<Record<string, string | ((value: string) => boolean)>>

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const labelName = /[a-zA-Z_][a-zA-Z0-9_]*/y
/** Value, optional timestamp, optional OpenMetrics exemplar. */
const afterSeries = /^[ \t]+(\S+)(?:[ \t]+-?[0-9]+(?:\.[0-9]+)?)?(?:[ \t]+# \{.*)?[ \t]*$/
const decimal = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/
const specialValues: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Inf: Number.POSITIVE_INFINITY,
  '+Inf': Number.POSITIVE_INFINITY,
  '-Inf': Number.NEGATIVE_INFINITY,
}
const escapes: Readonly<Record<string, string>> = { '\\': '\\', '"': '"', n: '\n' }

/**
 * All samples, in the order of the text. Throws, with the number of the line, for one that is neither empty, a comment nor a
 * sample: an HTML error page or a truncated reply must not read as "no traffic".
 */
export function parsePrometheus(text: string): Sample[] {
  return text.split('\n').flatMap((rawLine, index) => {
    const line = rawLine.endsWith('\r') ? rawLine.slice(0, -1) : rawLine
    if (line.trim() === '' || line.startsWith('#')) return []
    try {
      return [parseSample(line)]
    } catch (error) {
      throw new Error(`metrics line ${index + 1}: ${messageOf(error)}: ${line.slice(0, 120)}`, {
        cause: error,
      })
    }
  })
}

/**
 * Sum of the values of all series of this name whose labels match; 0 when there is none. A counter that has not been
 * touched is often absent, so absence and 0 mean the same here.
 */
export function sumSamples(samples: readonly Sample[], name: string, labels: LabelMatch = {}): number {
  return selectSamples(samples, name, labels).reduce((sum, sample) => sum + sample.value, 0)
}

export function selectSamples(samples: readonly Sample[], name: string, labels: LabelMatch = {}): Sample[] {
  const wanted = Object.entries(labels)
  return samples.filter(
    (sample) =>
      sample.name === name &&
      wanted.every(([label, match]) => {
        const value = sample.labels[label] ?? ''
        return typeof match === 'string' ? value === match : match(value)
      }),
  )
}

function parseSample(line: string): Sample {
  const name = metricName.exec(line)?.[0]
  if (name === undefined) throw new Error('no metric name')
  const labels: Record<string, string> = {}
  let at = name.length
  if (line[at] === '{') at = parseLabels(line, at + 1, labels)
  const valueText = afterSeries.exec(line.slice(at))?.[1]
  if (valueText === undefined) throw new Error('no value after the series')
  const value = specialValues[valueText] ?? (decimal.test(valueText) ? Number(valueText) : undefined)
  if (value === undefined) throw new Error(`"${valueText}" is not a number`)
  return { name, labels, value }
}

/** Fills `labels` from the text behind `{`; returns the position behind `}`. */
function parseLabels(line: string, start: number, labels: Record<string, string>): number {
  let at = start
  for (;;) {
    while (line[at] === ' ') at++
    if (line[at] === '}') return at + 1
    labelName.lastIndex = at
    const label = labelName.exec(line)?.[0]
    if (label === undefined) throw new Error('no label name')
    at += label.length
    if (line[at] !== '=' || line[at + 1] !== '"') throw new Error(`label ${label} has no quoted value`)
    if (Object.hasOwn(labels, label)) throw new Error(`label ${label} occurs twice`)
    const quoted = parseQuoted(line, at + 2)
    labels[label] = quoted.value
    at = quoted.end
    while (line[at] === ' ') at++
    if (line[at] === ',') at++
    else if (line[at] !== '}') throw new Error('expected "," or "}"')
  }
}

function parseQuoted(line: string, start: number): { value: string; end: number } {
  let value = ''
  for (let at = start; at < line.length; at++) {
    const character = line[at]
    if (character === '"') return { value, end: at + 1 }
    if (character === '\\') {
      const escaped = escapes[line[++at] ?? '']
      if (escaped === undefined) throw new Error('unknown escape')
      value += escaped
    } else {
      value += character
    }
  }
  throw new Error('label value does not end')
}
