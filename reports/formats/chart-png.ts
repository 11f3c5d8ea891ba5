/** One chart as a PNG, for places that take no SVG. Drawn with fonts of its own, so that every machine draws the same. */
import type { Analysis } from '../../harness/model.js'
import type { ChartName } from '../charts/index.js'
import { renderChartSvg, type ChartAssets, type Theme } from './chart-svg.js'

/** Pixels per CSS pixel: sharp on the screens that people present from. */
const zoom = 2

/** The bytes of a PNG, or nothing when the analysis has no data for that chart. */
export async function renderChartPng(
  analysis: Analysis,
  name: ChartName,
  theme: Theme,
  assets: ChartAssets,
): Promise<Uint8Array | undefined> {
  const svg = await renderChartSvg(analysis, name, theme, assets)
  if (svg === undefined) return undefined
  // A native module that only this format needs: everything else works where it has no build.
  const { Resvg } = await import('@resvg/resvg-js')
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: zoom },
    font: {
      loadSystemFonts: false,
      fontFiles: [...assets.fontFiles],
      defaultFontFamily: 'Inter',
      sansSerifFamily: 'Inter',
    },
  })
  return image.render().asPng()
}
