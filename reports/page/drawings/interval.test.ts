import { expect, it } from 'vitest'
import { drawAxis } from './interval.js'

it.each([
  { low: -1269, high: 3002 },
  { low: -6, high: 8 },
  { low: -0.07, high: 0.06 },
  { low: -173, high: 180 },
  { low: 0, high: 120_000 },
])(
  'numbers an axis from $low to $high so that no two numbers touch in a column of 110 px',
  ({ low, high }) => {
    const drawn = [...drawAxis({ low, high, zero: 0 }).matchAll(/x="(-?[\d.]+)%"[^>]*>([^<]+)</g)]
    const labels = drawn.map(([, x, text = '']) => ({ middle: Number(x) * 1.1, half: text.length * 3.1 }))
    expect(labels.length).toBeGreaterThan(0)
    for (const [index, { middle, half }] of labels.entries()) {
      const next = labels[index + 1]
      if (next) expect(next.middle - next.half).toBeGreaterThan(middle + half)
    }
  },
)
