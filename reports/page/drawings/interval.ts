/** Intervals as small drawings that stretch with the column they stand in: positions are shares of its width. */
import type { Estimate } from '../../../harness/model.js'
import { drawnBounds, given } from '../../formats/format.js'
import type { ArmView } from '../view.js'

/** An axis that all rows of a column share. */
export interface Axis {
  readonly low: number
  readonly high: number
  readonly band?: Band | undefined
  /** Where "no difference" lies. */
  readonly zero: number
}

/** What is drawn behind: the noise floor is filled, what is too little to matter lies between dashed lines. */
export interface Band {
  readonly means: 'noise floor' | 'too little to matter'
  readonly low: number
  readonly high: number
}

const rowHeight = 18
const middle = rowHeight / 2

/** An axis around estimates, its zero and its band, with a little room at both ends. */
export function axisOf(estimates: readonly Estimate[], zero: number, band?: Band): Axis {
  const values = [
    zero,
    ...estimates.flatMap((estimate) => [...Object.values(drawnBounds(estimate)), estimate.value]),
    ...(band ? [band.low, band.high] : []),
  ].filter(Number.isFinite)
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const room = (high - low || 1) * 0.04
  return { low: low - room, high: high + room, band, zero }
}

/** One row: band, zero, interval and point. Decoration for readers who see: the figure beside it says the same. */
export function drawInterval(estimate: Estimate, axis: Axis, arm: Pick<ArmView, 'key' | 'colour' | 'shape'>) {
  const { low, high } = drawnBounds(estimate)
  return frame(
    axis,
    `<line x1="${at(Math.max(low, axis.low), axis)}" x2="${at(Math.min(high, axis.high), axis)}" y1="${middle}" y2="${middle}" stroke="${arm.colour}" stroke-width="3" stroke-linecap="round"/>` +
      `<svg x="${at(estimate.value, axis)}" y="${middle}" overflow="visible"><path d="${shapePaths[arm.shape]}" fill="${arm.colour}" stroke="var(--paper)" stroke-width="1.5"/></svg>`,
    ` data-arm="${arm.key}"`,
  )
}

/** The axis' own numbers: a few round ones that do not touch. */
export function drawAxis(axis: Axis): string {
  return (
    `<svg class="ticks" width="100%" height="16" aria-hidden="true" focusable="false">` +
    ticksOf(axis)
      .map((value) => `<text x="${at(value, axis)}" y="12" text-anchor="middle">${given(value)}</text>`)
      .join('') +
    '</svg>'
  )
}

/** In px: the narrowest column that an axis is drawn in, a digit of its labels, and what keeps two labels apart. */
const narrowest = { column: 110, digit: 6.2, gap: 6 }

/** Multiples of a round step; where their labels would touch in the narrowest column, every second or third of them. */
function ticksOf({ low, high }: Axis): number[] {
  const raw = (high - low) / 5
  const size = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((candidate) => candidate >= raw) ?? raw
  const edge = (high - low) * 0.06
  const first = Math.ceil((low + edge) / step)
  const multiples = Array.from({ length: 5 }, (_, index) => first + index).filter(
    (multiple) => multiple * step <= high - edge,
  )
  const widest = Math.max(0, ...multiples.map((multiple) => given(multiple * step).length)) * narrowest.digit
  const stepPx = (step / (high - low)) * narrowest.column
  const every = Math.ceil((widest + narrowest.gap) / stepPx)
  const subsets = Array.from({ length: every }, (_, offset) =>
    multiples.filter((_, index) => index % every === offset),
  )
  // The most labels, and zero among them where that is left open.
  const most = Math.max(...subsets.map(({ length }) => length))
  const longest = subsets.filter(({ length }) => length === most)
  const chosen = longest.find((subset) => subset.includes(0)) ?? longest[0] ?? []
  return chosen.map((multiple) => multiple * step)
}

function frame({ low, high, band, zero }: Axis, inside: string, attributes: string): string {
  const axis = { low, high, zero }
  const edge = (value: number) =>
    `<line x1="${at(value, axis)}" x2="${at(value, axis)}" y1="0" y2="${rowHeight}" stroke="var(--muted)" stroke-dasharray="2 3"/>`
  const behind =
    band === undefined
      ? ''
      : band.means === 'noise floor'
        ? `<rect x="${at(band.low, axis)}" y="0" width="${share(band.high - band.low, axis)}" height="${rowHeight}" fill="var(--noise)"/>`
        : edge(band.low) + edge(band.high)
  const line = `<line x1="${at(zero, axis)}" x2="${at(zero, axis)}" y1="0" y2="${rowHeight}" stroke="var(--muted)"/>`
  return `<svg class="iv-row" width="100%" height="${rowHeight}" aria-hidden="true" focusable="false"${attributes}>${behind}${line}${inside}</svg>`
}

function at(value: number, axis: Pick<Axis, 'low' | 'high'>): string {
  return share(value - axis.low, axis)
}

function share(distance: number, { low, high }: Pick<Axis, 'low' | 'high'>): string {
  return `${Math.round((distance / (high - low)) * 10_000) / 100}%`
}

const shapePaths: Readonly<Record<ArmView['shape'], string>> = {
  circle: 'M-5.5,0a5.5,5.5 0 1 0 11,0a5.5,5.5 0 1 0 -11,0Z',
  square: 'M-5,-5H5V5H-5Z',
  'triangle-up': 'M0,-6.5L6,5H-6Z',
  diamond: 'M0,-7L7,0L0,7L-7,0Z',
  cross: 'M-2,-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z',
  'triangle-down': 'M0,6.5L6,-5H-6Z',
}
