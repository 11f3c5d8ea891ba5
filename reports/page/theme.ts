/** One look for every chart: colours are CSS custom properties, so that one SVG serves light and dark. */
import type { Config } from 'vega-lite'

/** Roles of colour in a figure; their values are in templates/report.css. */
export const ink = 'var(--ink)'
export const muted = 'var(--muted)'
export const noiseBand = 'var(--noise)'
export const warn = 'var(--warn)'
/** A pattern defined once on the page: what no component accounts for. */
export const hatch = 'url(#hatch)'

export const fontFamily = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif'

/** Where a chart is going to be read: a column of a wide screen, or a phone. */
export type Size = 'wide' | 'narrow'

/** Width of the whole figure in px. */
export const figureWidth: Record<Size, number> = { wide: 860, narrow: 350 }

export const chartConfig: Config = {
  background: 'transparent',
  font: fontFamily,
  padding: 4,
  view: { stroke: null },
  axis: {
    domain: false,
    ticks: false,
    grid: true,
    gridColor: 'var(--hairline)',
    labelColor: muted,
    labelFontSize: 12,
    labelPadding: 6,
    titleColor: muted,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titlePadding: 8,
    labelLimit: 0,
  },
  axisY: {
    titleAngle: 0,
    titleAlign: 'left',
    titleAnchor: 'end',
    titleY: -12,
    titleX: 0,
    titleBaseline: 'bottom',
  },
  title: { color: ink, fontSize: 13, fontWeight: 600, anchor: 'start', offset: 8 },
  text: { color: ink, fontSize: 12 },
  rule: { color: muted },
}

const hex = /^#[0-9a-f]{6}$/i

/** A colour from the journal, or grey: anything but `#rrggbb` could smuggle CSS. */
export function safeColour(colour: string | undefined, fallback = '#767676'): string {
  return colour !== undefined && hex.test(colour) ? colour : fallback
}

/** A `#rrggbb` colour moved towards black (step below 0) or white (above), by that share of the way. */
export function shaded(colour: string, step: number): string {
  const channels = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
  const target = step < 0 ? 0 : 255
  return `#${channels
    .map((channel) => Math.round(channel + (target - channel) * Math.abs(step)))
    .map((channel) => channel.toString(16).padStart(2, '0'))
    .join('')}`
}
