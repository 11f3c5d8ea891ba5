/** Draws a Vega-Lite spec as one small SVG string: no browser, no canvas, no request. */
import type { TopLevelSpec } from 'vega-lite'
import type { Chart } from '../charts/chart.js'
import { chartConfig } from './theme.js'

/**
 * Vega guesses text widths at 0.8 em a character when it has no canvas, which leaves wide empty margins and, were a
 * canvas package present, would make the output depend on the machine. System fonts are nearer to this.
 */
const textWidth: TextWidth = (item, text = '') => 0.58 * text.length * (item.fontSize ?? 11)
type TextWidth = (item: { readonly fontSize?: number }, text?: string) => number

let libraries: ReturnType<typeof loadLibraries> | undefined

/** Loads the chart libraries, which most commands do without and which are a large part of a start; once, since even an import of what is loaded takes milliseconds. */
function loadVega() {
  libraries ??= loadLibraries()
  return libraries
}

async function loadLibraries() {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')])
  const { textMetrics } = vega as unknown as { readonly textMetrics: { width: TextWidth } }
  textMetrics.width = textWidth
  return { vega, compile }
}

/** Loads them ahead of the first drawing. */
export async function prepareDrawing(): Promise<void> {
  await loadVega()
}

/** Separates what a mark says from the arm it belongs to, inside a mark's `description`. */
const armMark = '\u0001'

/** Builds a mark's description: `arm` is a key that page script highlights by, `tip` what hovering shows. */
export function describe(arm: string, tip: string): string {
  return `${arm}${armMark}${tip}`
}

/**
 * Renders a spec. Marks that carry a `description` get `data-arm` and a `<title>`; everything that only repeats what
 * style sheets say is dropped, which makes the file about half the size. `id` makes references unique on a page.
 */
export async function renderSvg(spec: object, id: string): Promise<string> {
  const { vega, compile } = await loadVega()
  const compiled = compile(spec as TopLevelSpec, { config: chartConfig }).spec
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', logLevel: vega.Error })
  try {
    return slim(renumberClips(await view.toSVG(), id), id)
  } finally {
    view.finalize()
  }
}

export type DrawnChart = Awaited<ReturnType<typeof drawChart>>

export async function drawChart(name: string, { spec, ...said }: Chart, onPhones = true) {
  const wide = await renderSvg(spec('wide'), `${name}-w`)
  const narrow = onPhones ? await renderSvg(spec('narrow'), `${name}-n`) : ''
  return { ...said, name, wide, narrow }
}

/** Vega counts clip paths over the whole process; ids have to depend on the picture alone and be unique on a page. */
function renumberClips(svg: string, id: string): string {
  const names = [...new Set([...svg.matchAll(/ id="(clip\d+)"/g)].map((match) => match[1] ?? ''))]
  return svg.replace(/( id="|="url\(#)(clip\d+)/g, (whole, before: string, name: string) =>
    names.includes(name) ? `${before}${id}-clip${names.indexOf(name)}` : whole,
  )
}

/** Rewrites tag by tag; text between tags is left as Vega escaped it. */
function slim(svg: string, id: string): string {
  const out: string[] = []
  let hidden = false
  // A dot and its interval say the same: one title is enough, on the mark that is easier to hit.
  const onPaths = new Set(
    [...svg.matchAll(/<path [^>]*aria-label="([^"]*)"/g)].map((match) => match[1] ?? ''),
  )
  for (const token of svg.split(/(<[^>]*>)/)) {
    if (!token.startsWith('<')) {
      if (!hidden) out.push(token)
      continue
    }
    if (token === '</text>') {
      if (!hidden) out.push(token)
      hidden = false
      continue
    }
    // Axis labels that Vega hid because they overlap, and the empty frames it draws around groups.
    if (/^<text [^>]*\bopacity="0"/.test(token)) {
      hidden = true
      continue
    }
    if (/^<path class="(fore|back)ground"[^>]*(display="none"|d="M0,0h0v0h0Z")/.test(token)) continue
    out.push(rewriteTag(token, id, onPaths))
  }
  return out.join('')
}

function rewriteTag(tag: string, id: string, onPaths: ReadonlySet<string>): string {
  const label = / aria-label="([^"]*)"/.exec(tag)?.[1]
  let slimmed = tag
    .replace(repeated, '')
    .replace(/ (d|transform|x|x2|y|y2|width|height|viewBox)="[^"]*"/g, roundNumbers)
  if (!/ stroke="/.test(slimmed)) slimmed = slimmed.replace(/ stroke-width="[^"]*"/, '')
  slimmed = slimmed.replace(circle, '<circle$1 cx="$2" cy="$3"$4 r="$5"$6')
  if (slimmed.startsWith('<svg')) return slimmed.replace('<svg', '<svg aria-hidden="true" focusable="false"')
  if (label === undefined || !label.includes(armMark)) return slimmed
  const [arm = '', tip = ''] = label.split(armMark)
  slimmed = slimmed.replace(/^<(\w+)/, `<$1 data-arm="${arm}"`)
  if (!slimmed.endsWith('/>') || tip === '' || (tag.startsWith('<line') && onPaths.has(label))) return slimmed
  const name = /^<(\w+)/.exec(slimmed)?.[1] ?? 'path'
  return `${slimmed.slice(0, -2)}><title>${tip}</title></${name}>`
}

/** What style sheets and defaults say already. */
const repeated =
  / (?:(?:aria-[a-z]+|role|class|pointer-events|font-family|xmlns:xlink|version)="[^"]*"|opacity="1"|stroke-width="1"|text-anchor="start"|transform="translate\(0,0\)"|font-size="12px")/g

/** A filled dot, as Vega writes it: two arcs moved into place. */
const circle =
  /^<path([^>]*?) transform="translate\(([^,]+),([^)]+)\)"([^>]*?) d="M([\d.]+),0A\5,\5,0,1,1,-\5,0A\5,\5,0,1,1,\5,0"([^>]*)/

function roundNumbers(attribute: string): string {
  return attribute.replace(/-?\d+\.\d{2,}(e-?\d+)?/g, (text) => {
    // Rounded alike on both sides of zero, so that circles stay round.
    const rounded = Math.round(Math.abs(Number(text)) * 10) / 10
    return String(text.startsWith('-') && rounded !== 0 ? -rounded : rounded)
  })
}
