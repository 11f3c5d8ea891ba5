/** A verdict in a word, with its style. */

export interface Chip {
  /** `better`, `worse`, `inconclusive`, `supported`, … : style and glyph follow it, the text says it. */
  readonly kind: string
  readonly text: string
}
