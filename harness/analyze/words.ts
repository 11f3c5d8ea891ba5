/** Figures as sentences and tables give them: three significant digits, never finer than the interval allows. */
import type { Estimate } from '../model.js'

/** How many decimals a figure deserves: the interval's leading digit (two when it is a 1), at most three digits in all. */
export function decimalsFor(value: number, halfWidth: number): number {
  const magnitude = Math.abs(value)
  const significant = magnitude > 0 && Number.isFinite(magnitude) ? 2 - Math.floor(Math.log10(magnitude)) : 2
  if (!(halfWidth > 0) || !Number.isFinite(halfWidth)) return clamp(significant, 0, 6)
  const exponent = Math.floor(Math.log10(halfWidth))
  const leading = halfWidth / 10 ** exponent
  return clamp(Math.min(-exponent + (leading < 2 ? 1 : 0), Math.max(significant, 0)), 0, 6)
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}

/**
 * Why a figure has no interval that could be printed, drawn or rounded by: what was counted has no error, and one round no
 * spread, so that its bounds are a convention. Undefined where it has one, or one side is known.
 */
export function whyNoInterval({
  n,
  method,
  beyond,
}: Partial<Pick<Estimate, 'n' | 'method' | 'beyond'>>): 'counted' | 'one round' | undefined {
  if (beyond !== undefined) return undefined
  return method === 'counted' ? 'counted' : n === 1 ? 'one round' : undefined
}

export const hasNoInterval = (figure: Parameters<typeof whyNoInterval>[0]) =>
  whyNoInterval(figure) !== undefined

type Bounded = Pick<Estimate, 'value' | 'low' | 'high'> & Partial<Pick<Estimate, 'n' | 'method' | 'beyond'>>

/** Decimals that a figure and its bounds share, in every sentence and every table alike. */
export function decimalsOf(figure: Bounded): number {
  const { value, low, high, beyond } = figure
  if (value === 0 && whyNoInterval(figure) === 'counted') return 0
  const halfWidth = beyond || hasNoInterval(figure) ? 0 : Math.max(high - value, value - low)
  const widest = Math.max(Math.abs(value), Number.isFinite(halfWidth) ? halfWidth : 0)
  let decimals = decimalsFor(widest, halfWidth)
  // An interval that holds zero must not look as if it ended there.
  const vanishes = (bound: number) => bound !== 0 && Number(bound.toFixed(decimals)) === 0
  for (let more = 0; more < 2 && low < 0 && high > 0 && (vanishes(low) || vanishes(high)); more++) decimals++
  return decimals
}

/** A number with fixed decimals, a true minus sign and `gap` between thousands; `-0.00` is `0.00`. */
export function fixedText(value: number, decimals: number, gap: string): string {
  const text = Math.abs(value).toFixed(decimals)
  const [whole = '0', part] = text.split('.')
  const grouped = whole.length > 3 ? whole.replace(/\B(?=(\d{3})+$)/g, gap) : whole
  const sign = value < 0 && Number(text) !== 0 ? '\u2212' : ''
  return sign + grouped + (part === undefined ? '' : `.${part}`)
}

/** Of a figure that stands alone: `0.312`, `41`, `1 040`: three significant digits, no exponent, a gap at thousands. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return 'unknown'
  if (value === 0) return '0'
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : Math.min(6, 2 - Math.floor(Math.log10(size)))
  const rounded = size >= 1000 ? Number(value.toPrecision(3)) : value
  const text = rounded.toFixed(digits)
  // A value that rounds to nothing has no sign.
  return Number(text) === 0
    ? '0'
    : text.replace('-', '−').replace(/\B(?=(\d{3})+$)/g, digits === 0 ? ' ' : '')
}

/** Units as they are printed; `currency` and `count` have none of their own. */
export const unitText: Readonly<Record<Estimate['unit'], string>> = {
  ms: 'ms',
  us: 'µs',
  ratio: '×',
  'req/s': 'req/s',
  MiB: 'MiB',
  share: '%',
  vCPU: 'vCPU',
  currency: '',
  count: '',
  'Gb/s': 'Gb/s',
  s: 's',
}

/** What a figure is multiplied by when it is printed: shares are percent. */
export const printedScale = (unit: Estimate['unit'] | undefined): number => (unit === 'share' ? 100 : 1)

/** The same figure and bounds in the unit that they are printed in. */
export function inPrintedUnit<T extends Pick<Estimate, 'value' | 'low' | 'high' | 'unit'>>(estimate: T): T {
  const scale = printedScale(estimate.unit)
  const { value, low, high } = estimate
  return { ...estimate, value: value * scale, low: low * scale, high: high * scale }
}

/** A limit or a setting as it was given, `1.005` or `1 044`: rounded, it would be another. */
export function asGiven(value: number): string {
  // Nine digits hide what a sum or a product of binary fractions adds, as in 1.1 × 3.
  const text = String(Number(value.toPrecision(9)))
  return text.includes('e') ? text : fixedText(value, text.split('.')[1]?.length ?? 0, ' ')
}

/** What stands before a figure of which one side is known. */
export const beyondMark = { above: '≥', below: '<' } as const

/** `0.31 ms (0.28 to 0.34)`; `≥ 5 000 req/s` where only that side is known; shares in percent. */
export function withInterval(estimate: Estimate, unit: string = unitText[estimate.unit]): string {
  const printed = inPrintedUnit(estimate)
  const { value, low, high, beyond } = printed
  const decimals = decimalsOf(printed)
  const show = (bound: number) => (Number.isFinite(bound) ? fixedText(bound, decimals, ' ') : 'unknown')
  const text = `${show(value)}${unit === '' ? '' : ` ${unit}`}`
  if (beyond) return `${beyondMark[beyond]} ${text}`
  const why = whyNoInterval(printed)
  if (why === 'counted') return text
  return why ? `${text} from ${why}` : `${text} (${show(low)} to ${show(high)})`
}

/** The same difference the other way round. */
export const negated = <T extends Pick<Estimate, 'value' | 'low' | 'high'>>(estimate: T): T => ({
  ...estimate,
  ...{ value: -estimate.value, low: -estimate.high, high: -estimate.low },
})

/** The upper bound as far as it is known. */
export function upperBound({ high, beyond }: Estimate): number {
  return beyond === 'above' ? Infinity : high
}

/** `about 30 more rounds`: how many rounds would halve an interval of half-width `half` down to `wanted`. */
export function moreRounds(n: number, half: number, wanted: number): string {
  if (n < 2 || wanted <= 0 || !Number.isFinite(half)) return 'at least 8 rounds'
  const total = Math.ceil(n * (half / wanted) ** 2)
  const more = total - n
  if (more <= 0) return 'a few more rounds'
  if (more > 2000) return 'over 2 000 more rounds at this spread, so rather a quieter host or longer trials'
  return `about ${more >= 20 ? Math.ceil(more / 10) * 10 : more} more rounds`
}
