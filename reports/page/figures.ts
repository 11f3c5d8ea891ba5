/** Prints estimates so that each can be traced: every figure carries its method, n and the journal cells behind it. */
import { beyondMark, negated } from '../../harness/analyze/words.js'
import type { Estimate } from '../../harness/model.js'
import { escapeHtml } from './clean.js'
import { boundsText, changeText, estimateText, thin } from '../formats/format.js'
import type { Added, ArmView } from './view.js'

/** Names a figure for traceability: metric, percentile and whether it is a value, a difference or a ratio. */
export interface FigureName {
  readonly metric: string
  readonly kind: 'value' | 'difference' | 'ratio'
  readonly percentile?: string | number | undefined
  /** Component, for rows of the bill. */
  readonly component?: string
}

export type FigureStyle =
  /** `0.31 ms (0.28 to 0.34)` */
  | 'sentence'
  /** `0.31 (0.28 to 0.34)`: the unit is in the table's header. */
  | 'cell'
  /** `27 % less (22 to 31 %)` from a ratio. */
  | 'change'
  /** `0.31 ms slower (0.28 to 0.34)` from a difference of times; signed when its interval spans zero. */
  | 'slower'

/** A verdict in a word, with its style. */
export interface Chip {
  /** `better`, `worse`, `inconclusive`, `supported`, … : style and glyph follow it, the text says it. */
  readonly kind: string
  readonly text: string
}

/** An arm's name with its colour, for highlighting. */
export const armHtml = ({ key, label, colour }: ArmView): string =>
  `<span class="arm" data-arm="${key}" style="--c:${colour}">${escapeHtml(label)}</span>`

/** What page script needs to explain a figure: strings are kept once and referred to by position. */
export interface FigureLegend {
  readonly methods: readonly string[]
  readonly cells: readonly string[]
  readonly names: readonly string[]
}

export interface FigureBook {
  /** HTML of one estimate; safe to insert as it is. */
  print(estimate: Estimate | undefined, name: FigureName, style?: FigureStyle, sign?: boolean): string
  /** The same as a cell of a table. */
  cell(...figure: Parameters<FigureBook['print']>): { readonly html: string }
  /** A cell with what was added, with its sign. */
  added(found: Added | undefined): { readonly html: string }
  legend(): FigureLegend
}

export function createFigureBook(): FigureBook {
  const methods = interner()
  const cells = interner()
  const names = interner()
  const book: FigureBook = {
    print(estimate, name, style = 'cell', sign = false) {
      if (estimate === undefined || estimate.n === 0) return '<span class="none">–</span>'
      const attributes = [
        `value="${digits(estimate.value)}"`,
        ...(estimate.beyond
          ? [`data-beyond="${escapeHtml(beyondMark[estimate.beyond])}"`]
          : [`data-low="${digits(estimate.low)}"`, `data-high="${digits(estimate.high)}"`]),
        `data-n="${estimate.n}"`,
        ...(estimate.level === 0.95 ? [] : [`data-level="${estimate.level}"`]),
        `data-unit="${escapeHtml(estimate.unit)}"`,
        `data-method="${methods.index(estimate.method)}"`,
        `data-cells="${estimate.cells.map((cell) => cells.index(cell)).join(' ')}"`,
        `data-name="${names.index(nameText(name))}"`,
      ]
      return `<data class="fig" ${attributes.join(' ')}>${body(estimate, style, sign)}</data>`
    },
    cell: (...figure) => ({ html: book.print(...figure) }),
    added: (found) => book.cell(found?.estimate, differenceOf(found), 'cell', true),
    legend: () => ({ methods: methods.all(), cells: cells.all(), names: names.all() }),
  }
  return book
}

/** The name of a difference; of one that was not found nothing is printed. */
export const differenceOf = (found: Added | undefined): FigureName => ({
  metric: found?.metric ?? 'none',
  percentile: found?.percentile,
  kind: 'difference',
})

/** `latency.added p99 difference`, `cpu.per1000Requests value of echo`. */
function nameText(name: FigureName): string {
  const percentile = name.percentile === undefined ? '' : ` p${name.percentile}`
  return `${name.metric}${percentile} ${name.kind}${name.component === undefined ? '' : ` of ${name.component}`}`
}

function body(estimate: Estimate, style: FigureStyle, sign: boolean): string {
  if (style === 'slower') {
    if (estimate.low <= 0 && estimate.high >= 0) return body(estimate, 'sentence', true)
    if (estimate.value > 0) return body(estimate, 'sentence', false).replace(' <', ' slower <')
    return body(negated(estimate), 'sentence', false).replace(' <', ' faster <')
  }
  if (style === 'change') return lighten(changeText(estimate))
  const text = estimateText(estimate, { sign })
  const unit = text.unit === '' ? '' : `${thin}${text.unit}`
  const value = escapeHtml(text.value)
  const bounds = boundsText(estimate, text)
  const interval = bounds === '' ? '' : ` <span class="iv">(${bounds})</span>`
  return (style === 'sentence' ? value + unit : value) + interval
}

/** Nine significant digits: more than a figure can mean, fewer than a double prints. */
function digits(value: number): string {
  return String(Number(value.toPrecision(9)))
}

function lighten(text: string): string {
  const at = text.indexOf('(')
  return at < 0 ? text : `${text.slice(0, at)}<span class="iv">${text.slice(at)}</span>`
}

function interner() {
  const positions = new Map<string, number>()
  return {
    index(text: string): number {
      const position = positions.get(text) ?? positions.size
      positions.set(text, position)
      return position
    },
    all: () => [...positions.keys()],
  }
}
