/** The shape of the table of load generators: what each tool said of a server whose truth is known. */
import { z } from 'zod'
import { list, number, object, record, text } from './shape.js'

const cellSchema = object({
  /**
   * `right` and `off` are judged; `undecided`: the limit between them lies within the value's error; `hidden`: the tool does
   * not tell; `cannot`: it has no way to; `told`: context.
   */
  verdict: z.enum(['right', 'off', 'undecided', 'hidden', 'cannot', 'failed', 'told']),
  /** A few words for a person. */
  text,
  /** What the tool said, or what was seen of it, in the question's unit. */
  value: number.exactOptional(),
  /** Half of the 95 % interval of `value`; absent where it is a count. */
  error: number.exactOptional(),
  /** What was true, in the same unit. */
  truth: number.exactOptional(),
})
export interface TruthCell extends z.infer<typeof cellSchema> {}

/** How near to the truth one of our own engines is, beside the tools that were asked for the same. */
const standingSchema = object({
  engine: text,
  question: text,
  /** `level`: another is nearer by no more than both their errors. */
  place: z.enum(['closest', 'level', 'behind']),
  /** The nearest of the others; absent where none has an answer. */
  other: text.exactOptional(),
  /** By how much the other is nearer, in the question's unit; absent where verdicts alone are compared. */
  by: number.exactOptional(),
  /** Why another is nearer, where it is. */
  why: text.exactOptional(),
})
export interface Standing extends z.infer<typeof standingSchema> {}

export const truthTableSchema = object({
  schema: z.literal(2),
  kind: z.literal('truth'),
  meshbench: text,
  started: text,
  seconds: number,
  host: object({
    cpus: number,
    model: text,
    kernel: text,
    node: text,
    /** Cores that others kept busy before the start. */
    busyCores: number,
    /** 99th percentile of how late the kernel wakes a thread that sleeps for 1 ms. */
    wakeUpLateP99Us: number,
  }),
  tools: list(
    object({
      name: text,
      version: text,
      asks: text,
      /** What is known of it that explains its row. */
      notes: list(text),
    }),
  ),
  absent: list(text),
  questions: list(object({ id: text, title: text, unit: text, rule: text })),
  /** tool → question → cell */
  cells: record(record(cellSchema)),
  standings: list(standingSchema),
})
export interface TruthTable extends z.infer<typeof truthTableSchema> {}

/**
 * Cells in which two tables of one host disagree: a verdict that excludes the other, or distances from what was true, which
 * no two passes share, further apart than both their errors. A value that has no error of its own is judged by its verdict
 * alone.
 */
export function disagreements(
  a: TruthTable,
  b: TruthTable,
): { readonly agreeing: number; readonly apart: readonly string[] } {
  const apart: string[] = []
  let agreeing = 0
  for (const [tool, row] of Object.entries(a.cells))
    for (const [question, left] of Object.entries(row)) {
      const right = b.cells[tool]?.[question]
      if (!right) continue
      if (agree(left, right)) agreeing++
      else
        apart.push(`${tool}, ${question}: ${left.verdict} (${left.text}), ${right.verdict} (${right.text})`)
    }
  return { agreeing, apart }
}

function agree(left: TruthCell, right: TruthCell): boolean {
  const isOpen = left.verdict === 'undecided' || right.verdict === 'undecided'
  if (left.verdict !== right.verdict && !isOpen) return false
  if (left.value === undefined || left.error === undefined) return !isOpen
  if (right.value === undefined || right.error === undefined) return !isOpen
  const distance = ({ value = 0, truth = 0 }: TruthCell): number => value - truth
  return Math.abs(distance(left) - distance(right)) <= left.error + right.error
}
