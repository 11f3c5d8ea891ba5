/** One chart as a file of its own, in either theme, for slides and documents: with its finding above and its method below; as a PNG for places that take no SVG. */
import type { Analysis } from '../../harness/model.js'
import { charts, type ChartName } from '../charts/index.js'
import { cleanDeep, escapeHtml } from '../page/clean.js'
import { createFigureBook } from '../page/figures.js'
import type { ReportAssets } from '../page/page.js'
import { renderSvg } from '../page/svg.js'
import { fontFamily } from '../page/theme.js'
import { createView, pathColours } from '../page/view.js'

export const themes = ['light', 'dark'] as const
export type Theme = (typeof themes)[number]

/** What drawing a chart needs from reports/page/templates and the fonts beside it. */
export type ChartAssets = Pick<ReportAssets, 'style' | 'fontFiles'>

/** An SVG that stands alone, or nothing when the analysis has no data for that chart. */
export async function renderChartSvg(
  analysis: Analysis,
  name: ChartName,
  theme: Theme,
  assets: Pick<ChartAssets, 'style'>,
): Promise<string | undefined> {
  const view = createView(cleanDeep(analysis))
  const chart = charts[name](view, createFigureBook())
  if (chart === undefined) return undefined
  const drawing = await renderSvg(chart.spec('wide'), name)
  const [drawn, height] = sizeOf(drawing)
  const width = drawn + 2 * (margin - chartPadding)
  const title = lines(chart.title, width - 2 * margin, titleSize)
  const caption = lines(`${chart.caption} ${analysisNote(view.analysis)}`, width - 2 * margin, textSize)
  const top = margin + title.length * titleSize * leading + 8
  const total = top + height + caption.length * textSize * leading + margin + 8
  const placed = drawing.replace(
    /^<svg aria-hidden="true" focusable="false"/,
    `<svg x="${margin - chartPadding}" y="${Math.round(top)}"`,
  )
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${Math.round(total)}" viewBox="0 0 ${width} ${Math.round(total)}" role="img" aria-label="${escapeHtml(chart.alternative)}" font-family="${escapeHtml(fontFamily)}" font-size="${textSize}">`,
    `<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0,0V6" stroke="var(--muted)" stroke-width="3"/></pattern></defs>`,
    `<rect width="${width}" height="${Math.round(total)}" fill="var(--paper)"/>`,
    textBlock(title, margin, titleSize, `fill="var(--ink)" font-weight="600"`),
    placed,
    textBlock(caption, top + height + 8, textSize, `fill="var(--muted)"`),
    '</svg>',
  ].join('')
  // Few programs beyond browsers know custom properties, so a file of its own carries their values.
  const values = variablesOf(`${themeBlock(assets.style, theme)};${pathColours(view.analysis.paths)[theme]}`)
  return svg.replace(
    /var\((--[\w-]+)(?:,\s*([^()]+))?\)/g,
    (_, variable: string, fallback: string | undefined) => values.get(variable) ?? fallback ?? '#808080',
  )
}

/** Pixels per CSS pixel: sharp on the screens that people present from. */
const zoom = 2

/** The bytes of a PNG, or nothing likewise. Drawn with fonts of its own, so that every machine draws the same. */
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

const margin = 12
/** Vega's own, on every side of a drawing. */
const chartPadding = 4
const titleSize = 16
const textSize = 12
const leading = 1.4

function analysisNote({ host, runId }: Analysis): string {
  return `${host.cpuModel}, ${host.cpus} CPUs; run ${runId}.`
}

function sizeOf(svg: string): [width: number, height: number] {
  const size = /^<svg[^>]* width="([\d.]+)"[^>]* height="([\d.]+)"/.exec(svg)
  if (!size) throw new Error('a chart has no size')
  return [Math.ceil(Number(size[1])), Math.ceil(Number(size[2]))]
}

/** Breaks text at spaces; widths are those that charts are laid out with. */
function lines(text: string, width: number, fontSize: number): string[] {
  const most = Math.floor(width / (0.55 * fontSize))
  const broken: string[] = []
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const last = broken.at(-1)
    if (last === undefined || last.length + 1 + word.length > most) broken.push(word)
    else broken[broken.length - 1] = `${last} ${word}`
  }
  return broken
}

function textBlock(block: readonly string[], top: number, fontSize: number, attributes: string): string {
  return block
    .map(
      (line, index) =>
        `<text x="${margin}" y="${Math.round(top + fontSize + index * fontSize * leading)}" font-size="${fontSize}" ${attributes}>${escapeHtml(line)}</text>`,
    )
    .join('')
}

/** The style sheet's own values, so that a theme is written down once. */
function themeBlock(style: string, theme: Theme): string {
  const block =
    theme === 'light' ? /:root \{([^}]*)\}/.exec(style) : /:root\[data-theme='dark'\] \{([^}]*)\}/.exec(style)
  return block?.[1] ?? ''
}

function variablesOf(rules: string): ReadonlyMap<string, string> {
  return new Map(
    [...rules.matchAll(/(--[\w-]+):\s*([^;]+)/g)].map(([, name = '', value = '']) => [name, value.trim()]),
  )
}
