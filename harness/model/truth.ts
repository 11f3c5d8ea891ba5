/** The shape of the table of load generators: what each tool said of a server whose truth is known. */
import { z } from 'zod'

/**
 * `right` and `off` are judged; `undecided`: the limit between them lies within the value's error; `hidden`: the tool does not
 * tell; `cannot`: it has no way to; `told`: context.
 */
export const truthVerdicts = ['right', 'off', 'undecided', 'hidden', 'cannot', 'failed', 'told'] as const

export const truthCellSchema = z
  .object({
    verdict: z.enum(truthVerdicts),
    /** A few words for a person. */
    text: z.string(),
    /** What the tool said, or what was seen of it, in the question's unit. */
    value: z.number().exactOptional(),
    /** Half of the 95 % interval of `value`; absent where it is a count. */
    error: z.number().exactOptional(),
    /** What was true, in the same unit. */
    truth: z.number().exactOptional(),
  })
  .readonly()
export interface TruthCell extends z.infer<typeof truthCellSchema> {}

/** How near to the truth one of our own engines is, beside the tools that were asked for the same. */
export const standingSchema = z
  .object({
    engine: z.string(),
    question: z.string(),
    /** `level`: another is nearer by no more than both their errors. */
    place: z.enum(['closest', 'level', 'behind']),
    /** The nearest of the others; absent where none has an answer. */
    other: z.string().exactOptional(),
    /** By how much the other is nearer, in the question's unit; absent where verdicts alone are compared. */
    by: z.number().exactOptional(),
    /** Why another is nearer, where it is. */
    why: z.string().exactOptional(),
  })
  .readonly()
export interface Standing extends z.infer<typeof standingSchema> {}

export const truthTableSchema = z
  .object({
    schema: z.literal(2),
    kind: z.literal('truth'),
    meshbench: z.string(),
    started: z.string(),
    seconds: z.number(),
    host: z
      .object({
        cpus: z.number(),
        model: z.string(),
        kernel: z.string(),
        node: z.string(),
        /** Cores that others kept busy before the start. */
        busyCores: z.number(),
        /** 99th percentile of how late the kernel wakes a thread that sleeps for 1 ms. */
        wakeUpLateP99Us: z.number(),
      })
      .readonly(),
    tools: z
      .array(
        z
          .object({
            name: z.string(),
            version: z.string(),
            asks: z.string(),
            /** What is known of it that explains its row. */
            notes: z.array(z.string()).readonly(),
          })
          .readonly(),
      )
      .readonly(),
    absent: z.array(z.string()).readonly(),
    questions: z
      .array(z.object({ id: z.string(), title: z.string(), unit: z.string(), rule: z.string() }).readonly())
      .readonly(),
    /** tool → question → cell */
    cells: z.record(z.string(), z.record(z.string(), truthCellSchema)).readonly(),
    standings: z.array(standingSchema).readonly(),
  })
  .readonly()
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
