/** A straight line through a few points, with what chance may have done to it: what one more of something adds. */
import { studentQuantile } from './student.js'

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Line {
  readonly slope: number
  readonly intercept: number
  /** Standard errors, and the covariance of the two. */
  readonly slopeSe: number
  readonly interceptSe: number
  readonly covariance: number
  /** Standard error of the slope where deviations stay: what one step has by chance, every later one has too. */
  readonly stayingSe: number
  /** Degrees of freedom of all three. */
  readonly df: number
  /** The largest distance of a point from the line, as a share of what the line says there. */
  readonly worstShare: number
}

/** Ordinary least squares; undefined of fewer than three different x, which have no spread about their line. */
export function fitLine(points: readonly Point[]): Line | undefined {
  const n = points.length
  const mean = (of: (point: Point) => number) => points.reduce((sum, point) => sum + of(point), 0) / n
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)]
  if (new Set(points.map((point) => point.x)).size < 3) return undefined
  const spread = points.reduce((sum, point) => sum + (point.x - x) ** 2, 0)
  const slope = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0) / spread
  const intercept = y - slope * x
  const off = points.map((point) => point.y - intercept - slope * point.x)
  const df = n - 2
  const variance = off.reduce((sum, residual) => sum + residual ** 2, 0) / df
  return {
    slope,
    intercept,
    slopeSe: Math.sqrt(variance / spread),
    interceptSe: Math.sqrt(variance * (1 / n + x ** 2 / spread)),
    covariance: (-variance * x) / spread,
    stayingSe: stayingSe(points, x, spread),
    df,
    worstShare: Math.max(
      ...points.map((point, index) =>
        Math.abs((off[index] ?? 0) / Math.max(Number.MIN_VALUE, Math.abs(intercept + slope * point.x))),
      ),
    ),
  }
}

/**
 * The slope of least squares is a sum over the points, and so over the stretches between them: what a stretch adds by
 * chance, with a variance in proportion to its length, moves every point behind it. That variance is taken from how far
 * stretches lie from the mean growth, with as many degrees of freedom as residuals about a line have.
 */
function stayingSe(points: readonly Point[], meanX: number, spread: number): number {
  const sorted = [...points].sort((a, b) => a.x - b.x)
  const [first, last] = [sorted[0], sorted.at(-1)]
  if (!first || !last) return Number.NaN
  const growth = (last.y - first.y) / (last.x - first.x)
  let [variance, share, weight] = [0, 0, 0]
  for (let index = sorted.length - 1; index > 0; index--) {
    const [from, to] = [sorted[index - 1] as Point, sorted[index] as Point]
    const length = to.x - from.x
    weight += (to.x - meanX) / spread
    share += length * weight ** 2
    if (length > 0) variance += (to.y - from.y - growth * length) ** 2 / length / (points.length - 2)
  }
  return Math.sqrt(variance * share)
}

/** The slope with its interval, by the wider of its two standard errors: nobody knows which deviations stay. */
export function slopeOf({ slope, slopeSe, stayingSe, df }: Line): Bounded {
  return bounded(slope, Math.max(slopeSe, stayingSe), df)
}

/** A value with the bounds of its 95 % interval, by Student's t. */
export interface Bounded {
  readonly value: number
  readonly low: number
  readonly high: number
}

export function bounded(value: number, se: number, df: number): Bounded {
  const half = studentQuantile(0.975, df) * se
  return { value, low: value - half, high: value + half }
}

/** The x at which two lines meet (delta method); undefined where they run alike. */
export function crossing(first: Line, second: Line): Bounded | undefined {
  const slope = first.slope - second.slope
  const slopeSe = Math.hypot(first.slopeSe, second.slopeSe)
  const df = Math.min(first.df, second.df)
  if (Math.abs(slope) <= studentQuantile(0.975, df) * slopeSe) return undefined
  const value = (second.intercept - first.intercept) / slope
  const interceptVariance = first.interceptSe ** 2 + second.interceptSe ** 2
  const covariance = first.covariance + second.covariance
  const variance = (interceptVariance + 2 * value * covariance + (value * slopeSe) ** 2) / slope ** 2
  return bounded(value, Math.sqrt(Math.max(0, variance)), df)
}
