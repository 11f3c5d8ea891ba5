/** Geometry that charts share: domains with room for labels, and end labels that do not cover one another. */

/** `[low, high]` around intervals, with zero in it, and room on the right for a printed figure. */
export function domainWithZero(
  intervals: readonly { readonly low: number; readonly high: number }[],
  roomShare: number,
): [number, number] {
  const finite = intervals.flatMap(({ low, high }) => [low, high]).filter(Number.isFinite)
  const low = Math.min(0, ...finite)
  const high = Math.max(0, ...finite)
  const span = high - low || 1
  return [low < 0 ? low - span * 0.05 : 0, high + span * roomShare]
}

/** `[low, high]` of positive values for a log axis, a little wider than the data. */
export function logDomain(values: readonly number[]): [number, number] {
  const positive = values.filter((value) => Number.isFinite(value) && value > 0)
  if (positive.length === 0) return [0.1, 1]
  return [Math.min(...positive) / 1.12, Math.max(...positive) * 1.12]
}

/** Between the middles of labels of one line. */
const gapPx = 15

/**
 * Moves the ends of lines along their axis so that their names keep a gap, as near as possible to where they belong and
 * within the plot where it has room for all of them.
 */
export function spreadLabels<End extends Readonly<Record<string, unknown>>>(
  ends: readonly End[],
  { field, scale: { domain, type } }: PlacedAxis,
  heightPx: number,
): End[] {
  const scaled = (value: number) => (type === 'log' ? Math.log(Math.max(value, Number.MIN_VALUE)) : value)
  const [low = 0, high = 1] = domain.map(scaled)
  const sorted = ends
    .map((end) => ({ end, px: ((scaled(Number(end[field])) - low) / (high - low)) * heightPx }))
    .sort((a, b) => a.px - b.px)
  // Less the gaps below it, a name's place is never below that of the name before it: those for which it would be
  // share the mean of their places (pool adjacent violators).
  const pools: { sum: number; count: number }[] = []
  sorted.forEach(({ px }, rank) => {
    let pool = { sum: px - rank * gapPx, count: 1 }
    let before = pools.at(-1)
    while (before && before.sum / before.count > pool.sum / pool.count) {
      pools.pop()
      pool = { sum: before.sum + pool.sum, count: before.count + pool.count }
      before = pools.at(-1)
    }
    pools.push(pool)
  })
  const highest = heightPx - (ends.length - 1) * gapPx
  const places = pools.flatMap(({ sum, count }) => Array.from({ length: count }, () => sum / count))
  const moved = sorted.map(({ end }, rank) => {
    const place = places[rank] ?? 0
    const px = (highest < 0 ? place : Math.min(Math.max(place, 0), highest)) + rank * gapPx
    const value = low + (px / heightPx) * (high - low)
    return [end, { ...end, [field]: type === 'log' ? Math.exp(value) : value }] as const
  })
  const byEnd = new Map(moved)
  return ends.map((end) => byEnd.get(end) ?? end)
}

/** An axis that ends where it is told to. */
interface PlacedAxis {
  readonly field: string
  readonly scale: { readonly domain: readonly number[]; readonly type?: 'log' }
}

/** Where a label may stand beside its point, the best first. */
export const labelPlaces = ['right-above', 'right-below', 'left-above', 'left-below'] as const
export type LabelPlace = (typeof labelPlaces)[number]

/** Where each point's label goes so that it covers neither another point nor a label placed before; all in px. */
export function placeLabels(
  points: readonly { readonly x: number; readonly y: number; readonly width: number }[],
  plotWidth: number,
): LabelPlace[] {
  const placed: { x: number; y: number; width: number; height: number }[] = points.map(({ x, y }) => ({
    x: x - 9,
    y: y - 8,
    width: 18,
    height: 16,
  }))
  return points.map(({ x, y, width }) => {
    const boxes = labelPlaces.map((place) => ({
      place,
      x: place.startsWith('right') ? x + 12 : x - 12 - width,
      y: (place.endsWith('above') ? y - 11 : y + 12) - 8,
      width,
      height: 16,
    }))
    const cost = (box: (typeof boxes)[number]) =>
      placed.filter((other) => overlap(box, other)).length +
      (box.x < 0 || box.x + box.width > plotWidth ? 1.5 : 0)
    const best = boxes.reduce((least, box) => (cost(box) < cost(least) ? box : least))
    placed.push(best)
    return best.place
  })
}

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}
