/** One chart as a file of its own, in either theme, for slides and documents. */
import type { Analysis } from '../../harness/model.js'
import { charts, type ChartName } from '../charts/index.js'
import { cleanDeep } from '../clean.js'
import { createFigureBook } from '../figures.js'
import type { ReportAssets } from '../page.js'
import { renderSvg } from '../svg.js'
import { createView, pathColours } from '../view.js'

/** An SVG that stands alone, or nothing when the analysis has no data for that chart. */
export async function renderChartSvg(
  analysis: Analysis,
  name: ChartName,
  theme: 'light' | 'dark',
  assets: Pick<ReportAssets, 'style'>,
): Promise<string | undefined> {
  const view = createView(cleanDeep(analysis))
  const chart = charts[name](view, createFigureBook())
  if (chart === undefined) return undefined
  const svg = await renderSvg(chart.spec('wide'), name)
  const colours = pathColours(view.analysis.paths)[theme]
  const hatch =
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0,0V6" stroke="var(--muted)" stroke-width="3"/></pattern>'
  const style = `<style>svg{${themeVariables(assets.style, theme)};${colours};background:var(--paper);font:12px system-ui,sans-serif}text{font-size:12px}</style>`
  return svg.replace(
    /^<svg aria-hidden="true" focusable="false"([^>]*)>/,
    (_, rest: string) => `<svg${rest} role="img">${style}<defs>${hatch}</defs>`,
  )
}

/** The style sheet's own values, so that a theme is written down once. */
function themeVariables(style: string, theme: 'light' | 'dark'): string {
  const block =
    theme === 'light' ? /:root \{([^}]*)\}/.exec(style) : /:root\[data-theme='dark'\] \{([^}]*)\}/.exec(style)
  return (block?.[1] ?? '')
    .split(';')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('--'))
    .join(';')
}
