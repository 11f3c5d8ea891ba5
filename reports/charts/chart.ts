/** What a chart is: a finding, the picture, and everything needed to read it without the picture. */
import type { FigureBook } from '../page/figures.js'
import type { Size } from '../page/theme.js'
import type { View } from '../page/view.js'

/** A cell of a chart's table: text to be escaped, or HTML made by the figure book. */
export type TableCell = string | { readonly html: string }

export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly TableCell[])[]
  /** Of a table of trials: which of the journal's cells each row belongs to, by position. */
  readonly cells?: readonly string[]
}

export interface Chart {
  /** States the finding. */
  readonly title: string
  /** How it was measured, and n. */
  readonly caption: string
  /** What a reader who cannot see the picture needs to know. */
  readonly alternative: string
  readonly table: Table
  /** The Vega-Lite spec, laid out for a place to read it. */
  readonly spec: (size: Size) => object
}

/** Builds a chart, or nothing when the analysis has no data for it. */
export type ChartBuilder = (view: View, book: FigureBook) => Chart | undefined
