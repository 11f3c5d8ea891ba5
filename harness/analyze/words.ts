/** Figures as the report's sentences give them: three significant digits, with their interval. */
import type { Estimate } from '../model.js'

/** `0.312`, `41`, `1 040`: three significant digits, no exponent, a thin gap at thousands. */
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

/** What stands before a figure of which one side is known. */
export const beyondMark = { above: '≥', below: '<' } as const

/** `0.31 ms (0.28 to 0.34)`; `≥ 5 000 req/s` where only that side is known. */
export function withInterval({ value, low, high, beyond, n }: Estimate, unit: string): string {
  const text = `${figure(value)}${unit === '' ? '' : ` ${unit}`}`
  if (n === 1) return `${text} from one round`
  return beyond ? `${beyondMark[beyond]} ${text}` : `${text} (${figure(low)} to ${figure(high)})`
}

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
