/** What every page of this project shares: templates, style, a policy that forbids any request. */
import { createHash } from 'node:crypto'
import Handlebars from 'handlebars'
import type { Table, TableCell } from '../charts/chart.js'
import { embedJson } from './clean.js'

/** Contents of reports/page/templates, read by whoever may read files. Names of templates are without `.hbs`. */
export interface ReportAssets {
  readonly templates: Readonly<Record<string, string>>
  readonly style: string
  readonly script: string
  /** Paths of the font files (regular and semibold) that pictures without a browser are drawn with. */
  readonly fontFiles: readonly string[]
}

const escape = (text: string) => Handlebars.escapeExpression(text)

export interface PageData {
  readonly title: string
  /** Additional rules, for example the colours of paths. */
  readonly style?: string
  /** Embedded as JSON under the given element ids. */
  readonly embedded?: Readonly<Record<string, unknown>>
  readonly body: object
}

/** Renders a template inside the page frame. Every `{{…}}` is escaped; `{{{…}}}` is for what this folder made itself. */
export function renderPage(template: string, data: PageData, assets: ReportAssets): string {
  const handlebars = Handlebars.create()
  handlebars.registerHelper('rows', rowsHtml)
  handlebars.registerHelper('whole', (text: string) => new Handlebars.SafeString(unbroken(text)))
  for (const [name, source] of Object.entries(assets.templates)) {
    handlebars.registerPartial(name.replace(/\.hbs$/, ''), source)
  }
  const frame = handlebars.compile('{{> frame}}', { strict: false })
  const scriptHash = createHash('sha256').update(assets.script).digest('base64')
  return frame({
    title: data.title,
    style: assets.style + (data.style ?? ''),
    script: assets.script,
    // Even if a string escaped its quotes, nothing could be fetched and no other script could run.
    policy: [
      "default-src 'none'",
      `script-src 'sha256-${scriptHash}'`,
      "style-src 'unsafe-inline'",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
    ].join('; '),
    embedded: Object.entries(data.embedded ?? {}).map(([id, value]) => ({ id, json: embedJson(value) })),
    template,
    ...data.body,
  })
}

/** Names of paths, `L4-L7-L4`, are not broken at their hyphens. */
function unbroken(text: string): string {
  return escape(text).replace(/\bL\d(-L\d)+\b/g, '<span class="whole">$&</span>')
}

/** Rows are written here: as a template, a long table costs as much as all charts. */
function rowsHtml({ rows, cells }: Table): string {
  const lines = rows.map((row, at) => {
    const cell = cells?.[at] ?? ''
    return `<tr${cell === '' ? '' : ` data-cell="${escape(cell)}"`}>${row.map(cellHtml).join('')}</tr>\n`
  })
  return lines.join('')
}

function cellHtml(cell: TableCell, index: number): string {
  const html = typeof cell === 'string' ? escape(cell) : cell.html
  if (index === 0) return `<th scope="row">${html}</th>`
  return `<td${typeof cell === 'object' && html.startsWith('<data') ? ' class="n"' : ''}>${html}</td>`
}
