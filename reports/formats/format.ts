/** Turns figures into text the same way everywhere: three significant digits, never finer than the interval allows. */
import {
  beyondMark,
  decimalsFor,
  decimalsOf,
  fixedText,
  hasNoInterval,
  inPrintedUnit,
  printedScale,
  unitText,
  whyNoInterval,
} from '../../harness/analyze/words.js'
import type { Estimate, LoadSpec, Protocol } from '../../harness/model.js'

/** Narrow no-break space, between thousands and before units in HTML. */
export const thin = '\u202f'
/** One thousand, as prose writes it. */
export const thousand = `1${thin}000`

/** A number with fixed decimals, a true minus sign and thousands apart; `-0.00` is `0.00`. */
export function fixed(value: number, decimals: number): string {
  return Number.isFinite(value) ? fixedText(value, decimals, thin) : '–'
}

/** Three significant digits. */
export function number(value: number): string {
  return fixed(value, decimalsFor(value, 0))
}

/** Three significant digits at most, without trailing zeros: for limits and prices, which are given, not measured. */
export function given(value: number): string {
  const text = number(value)
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

/** `+0.31`, `−0.02`, `0.00`. */
export function signed(value: number, decimals: number): string {
  const text = fixed(value, decimals)
  return value > 0 && Number(value.toFixed(decimals)) !== 0 ? `+${text}` : text
}

/** The parts of an estimate as text, in its unit (`share` becomes percent); all three numbers share their decimals. Where one side alone is known, the value says so: `≥ 5 000`. */
export function estimateText(estimate: Estimate, options: { readonly sign?: boolean } = {}) {
  const printed = inPrintedUnit(estimate)
  const { value, low, high } = printed
  const decimals = decimalsOf(printed)
  const show = (scaled: number) =>
    options.sign === true ? signed(scaled, decimals) : fixed(scaled, decimals)
  const mark = estimate.beyond ? beyondMark[estimate.beyond] + thin : ''
  return { value: mark + show(value), low: show(low), high: show(high), unit: unitText[estimate.unit] }
}

/** `0.31 ms (0.28 to 0.34)`; `bare`: without the unit, where a heading has it; a dash of no figure, as of a ratio to nothing. */
export function sentence(
  estimate: Estimate,
  options: { readonly sign?: boolean; readonly bare?: boolean } = {},
): string {
  if (estimate.n === 0) return '–'
  const text = estimateText(estimate, options)
  const unit = text.unit === '' || options.bare === true ? '' : `${thin}${text.unit}`
  const bounds = boundsText(estimate, text)
  return bounds === '' ? text.value + unit : `${text.value}${unit} (${bounds})`
}

/** What stands in parentheses behind a figure; empty of what was counted, and where one side alone is known. */
export function boundsText(
  estimate: Estimate,
  { low, high }: Pick<ReturnType<typeof estimateText>, 'low' | 'high'>,
): string {
  const why = whyNoInterval(estimate)
  return estimate.beyond || why === 'counted' ? '' : (why ?? `${low} to ${high}`)
}

/** Between which bounds an estimate is drawn: of what has no interval, a point. */
export function drawnBounds(estimate: Estimate): { readonly low: number; readonly high: number } {
  const { value, low, high } = estimate
  return hasNoInterval(estimate) ? { low: value, high: value } : { low, high }
}

/** Of how many rounds figures are: `n = 9 rounds`, `n = 7 to 9 rounds` where some lack a few, and what one tells. */
export function roundsText(estimates: readonly Pick<Estimate, 'n'>[]): string {
  const counts = estimates.map(({ n }) => n)
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)]
  if (most === 1) return 'n = 1 round, which has no interval'
  return fewest === most ? `n = ${most} rounds` : `n = ${fewest} to ${most} rounds`
}

/** `0.31 ±0.03`, for narrow tables; the wider half of the interval. */
export function plusMinus(estimate: Estimate, options: { readonly sign?: boolean } = {}): string {
  const text = estimateText(estimate, options)
  if (estimate.beyond || hasNoInterval(estimate)) return text.value
  const scale = printedScale(estimate.unit)
  const half = Math.max(estimate.high - estimate.value, estimate.value - estimate.low) * scale
  const widest = Math.max(Math.abs(estimate.value * scale), half)
  return `${text.value} ±${fixed(half, decimalsFor(widest, half))}`
}

/** A ratio as a change: `27 % less (22 to 31 %)`, both directions when the interval spans 1, `as much` where nothing is left of it. */
export function changeText(ratio: Estimate): string {
  const percent = (factor: number) => (factor - 1) * 100
  const [value, low, high] = [percent(ratio.value), percent(ratio.low), percent(ratio.high)]
  const isOne = hasNoInterval(ratio)
  const decimals = isOne ? 0 : changeDecimals(value, low, high)
  const show = (change: number) => fixed(Math.abs(change), decimals)
  const word = (change: number) => (change < 0 ? 'less' : 'more')
  const amount = Number(show(value)) === 0 ? 'as much' : `${show(value)}${thin}% ${word(value)}`
  if (isOne) return `${amount} (one round)`
  if (low < 0 && high > 0) return `${amount} (${show(low)}${thin}% less to ${show(high)}${thin}% more)`
  const [near, far] = Math.abs(low) < Math.abs(high) ? [low, high] : [high, low]
  return `${amount} (${show(near)} to ${show(far)}${thin}%)`
}

/** As of every figure; but an interval that leaves out zero must not look as if it reached it. */
function changeDecimals(value: number, low: number, high: number): number {
  const decimals = decimalsOf({ value, low, high })
  const near = Math.min(Math.abs(low), Math.abs(high))
  const reaches = (digits: number) => low * high > 0 && Number(near.toFixed(digits)) === 0
  return decimals + [0, 1, 2].filter((more) => reaches(decimals + more)).length
}

/** `1 KiB`, `512 B`, `24 GiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let scaled = value
  let unit = 0
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024
    unit++
  }
  return `${Number.isInteger(scaled) ? fixed(scaled, 0) : number(scaled)}${thin}${units[unit] ?? 'B'}`
}

/** `250 ms`, `1.3 s`, `18 s`, `2 min 40 s`, `3 h 05 min`. */
export function duration(ms: number): string {
  if (ms > 0 && ms < 1000) return `${Math.round(ms)}${thin}ms`
  if (ms > 0 && ms < 10_000) return `${given(ms / 1000)}${thin}s`
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds}${thin}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${thin}min ${pad(seconds % 60)}${thin}s`
  return `${Math.floor(seconds / 3600)}${thin}h ${pad(Math.floor((seconds % 3600) / 60))}${thin}min`
}

const pad = (value: number) => String(value).padStart(2, '0')

/** `22 Nov 2026, 10:04 UTC`; the text itself when it is no date. */
export function dateTime(iso: string): string {
  if (Number.isNaN(Date.parse(iso))) return iso
  // `Sun, 22 Nov 2026 10:04:31 GMT`, as the language's standard has it.
  return new Date(iso).toUTCString().replace(/^\w+, 0?(\d+ \w+ \d+) (\d+:\d+).*/, '$1, $2 UTC')
}

const protocolText: Record<Protocol, string> = { http1: 'HTTP/1.1', h2: 'HTTP/2', grpc: 'gRPC', tcp: 'TCP' }

/** `1 000 requests/s, 16 connections, 1 KiB replies, HTTP/1.1`. */
export function loadText(load: LoadSpec): string {
  const mixed = load.mix ? `a mix of ${plural(load.mix.length, 'kind')} of request, on average ` : ''
  const replies = `${mixed}${bytes(load.payloadBytes)} replies, ${protocolText[load.protocol]}`
  if (load.engine === 'connect')
    return `${fixed(load.ratePerSecond ?? 0, 0)} new connections/s, at most ${load.connections} at once, ${replies}`
  return `${paceOf(load, 'requests/s', 'open loop, rate searched', 'closed loop')}, ${load.connections} connections, ${replies}`
}

/** `1 000 requests per second` or `as fast as 16 connections allow`. */
export const paceText = (load: LoadSpec): string =>
  paceOf(
    load,
    'requests per second',
    'the largest rate that keeps the promise',
    `as fast as ${load.connections} connections allow`,
  )

function paceOf({ model, ratePerSecond }: LoadSpec, unit: string, searched: string, closed: string): string {
  if (model !== 'open') return closed
  return ratePerSecond === undefined ? searched : `${fixed(ratePerSecond, 0)} ${unit}`
}

/** At most so many characters; what is cut off shows. */
export function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`
}

/** `1 trial`, `2 trials`. */
export function plural(count: number, singular: string): string {
  return `${fixed(count, 0)} ${count === 1 ? singular : `${singular}s`}`
}
