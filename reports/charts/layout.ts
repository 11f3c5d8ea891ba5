/** Geometry that charts share: domains with room for labels, and end labels that do not cover one another. */

/** `[low, high]` around values, with zero in it, and room on the right for a printed figure. */
export function domainWithZero(values: readonly number[], roomShare = 0.3): [number, number] {
  const finite = values.filter(Number.isFinite)
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
 * Moves label positions apart so that neighbours keep their gap, as near as possible to where they belong. Values and
 * result are in the axis' units; order is kept.
 */
export function spreadLabels(
  values: readonly number[],
  domain: readonly [number, number],
  heightPx: number,
  log: boolean,
): number[] {
  const scale = (value: number) => (log ? Math.log(Math.max(value, Number.MIN_VALUE)) : value)
  const [low, high] = [scale(domain[0]), scale(domain[1])]
  const toPx = (value: number) => ((scale(value) - low) / (high - low)) * heightPx
  const fromPx = (px: number) => {
    const value = low + (px / heightPx) * (high - low)
    return log ? Math.exp(value) : value
  }
  const order = values.map((value, index) => ({ index, px: toPx(value) })).sort((a, b) => a.px - b.px)
  // Blocks of touching labels, each centred on the mean of where its labels belong (pool adjacent violators).
  const blocks: { wanted: number; members: number[] }[] = []
  for (const { index, px } of order) {
    blocks.push({ wanted: px, members: [index] })
    for (;;) {
      const upper = blocks.at(-1)
      const lower = blocks.at(-2)
      if (upper === undefined || lower === undefined) break
      const reach = ((upper.members.length + lower.members.length) / 2) * gapPx
      if (upper.wanted - lower.wanted >= reach) break
      const total = upper.members.length + lower.members.length
      const wanted = (upper.wanted * upper.members.length + lower.wanted * lower.members.length) / total
      blocks.splice(-2, 2, { wanted, members: [...lower.members, ...upper.members] })
    }
  }
  const placed: number[] = values.map(() => 0)
  for (const block of blocks) {
    block.members.forEach((index, position) => {
      placed[index] = fromPx(block.wanted + (position - (block.members.length - 1) / 2) * gapPx)
    })
  }
  return placed
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
