/** A straight line through a few points, with what chance may have done to it: what one more of something adds. */
import { studentQuantile } from './student.js'

export interface Point {
  readonly x: number
  readonly y: number
}

/** Standard errors of a line's two numbers, and the covariance of the two. */
export interface LineErrors {
  readonly slopeSe: number
  readonly interceptSe: number
  readonly covariance: number
}

export interface Line {
  readonly slope: number
  readonly intercept: number
  /** Where each point deviates by itself. */
  readonly apart: LineErrors
  /** Where deviations stay: what one step has by chance, every later one has too. */
  readonly staying: LineErrors
  /** Degrees of freedom of both. */
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
    apart: {
      slopeSe: Math.sqrt(variance / spread),
      interceptSe: Math.sqrt(variance * (1 / n + x ** 2 / spread)),
      covariance: (-variance * x) / spread,
    },
    staying: stayingErrors(points, x, spread),
    df,
    worstShare: Math.max(
      ...points.map((point, index) =>
        Math.abs((off[index] ?? 0) / Math.max(Number.MIN_VALUE, Math.abs(intercept + slope * point.x))),
      ),
    ),
  }
}

/**
 * Slope and intercept of least squares are sums over the points, and so over the stretches between them: what a stretch
 * adds by chance, with a variance in proportion to its length, moves every point behind it. That variance is taken from how
 * far stretches lie from the mean growth, with as many degrees of freedom as residuals about a line have. The first
 * stretch begins at none, where there is nothing yet that could deviate.
 */
function stayingErrors(points: readonly Point[], meanX: number, spread: number): LineErrors {
  const sorted = [...points].sort((a, b) => a.x - b.x)
  const [first, last] = [sorted[0], sorted.at(-1)]
  if (!first || !last) return { slopeSe: Number.NaN, interceptSe: Number.NaN, covariance: Number.NaN }
  const growth = (last.y - first.y) / (last.x - first.x)
  let variance = 0
  const sums = { slope: 0, intercept: 0, both: 0 }
  /** How much of what a stretch adds gets into the slope, and into the intercept. */
  const weight = { slope: 0, intercept: 0 }
  for (let index = sorted.length - 1; index >= 0; index--) {
    const to = sorted[index] as Point
    const from = sorted[index - 1]
    const share = (to.x - meanX) / spread
    weight.slope += share
    weight.intercept += 1 / points.length - meanX * share
    const length = Math.max(0, to.x - (from?.x ?? 0))
    sums.slope += length * weight.slope ** 2
    sums.intercept += length * weight.intercept ** 2
    sums.both += length * weight.slope * weight.intercept
    if (from && length > 0) variance += (to.y - from.y - growth * length) ** 2 / length / (points.length - 2)
  }
  return {
    slopeSe: Math.sqrt(variance * sums.slope),
    interceptSe: Math.sqrt(variance * sums.intercept),
    covariance: variance * sums.both,
  }
}

/** Variance of a line's height at x: the larger of what its two kinds of errors say there. */
function varianceAt({ apart, staying }: Line, x: number): number {
  const variances = [apart, staying].map(
    ({ slopeSe, interceptSe, covariance }) => interceptSe ** 2 + 2 * x * covariance + (x * slopeSe) ** 2,
  )
  return Math.max(0, ...variances)
}

const slopeSeOf = ({ apart, staying }: Line) => Math.max(apart.slopeSe, staying.slopeSe)

/** The slope with its interval, by the wider of its two standard errors: nobody knows which deviations stay. */
export function slopeOf(line: Line): Bounded {
  return bounded(line.slope, slopeSeOf(line), line.df)
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

/**
 * The x at which two lines meet (delta method), with what both may be off there, each by the wider of its errors, as slopes
 * have it; undefined where they run alike.
 */
export function crossing(first: Line, second: Line): Bounded | undefined {
  const slope = first.slope - second.slope
  const slopeSe = Math.hypot(slopeSeOf(first), slopeSeOf(second))
  if (Math.abs(slope) <= studentQuantile(0.975, Math.min(first.df, second.df)) * slopeSe) return undefined
  const value = (second.intercept - first.intercept) / slope
  const variances = [varianceAt(first, value), varianceAt(second, value)] as const
  const sum = variances[0] + variances[1]
  // Of a sum of two variances (Welch 1947): as few as the lesser has where one is all of it.
  const weights = variances[0] ** 2 / first.df + variances[1] ** 2 / second.df
  const df = weights > 0 ? sum ** 2 / weights : first.df
  return bounded(value, Math.sqrt(sum) / Math.abs(slope), df)
}
