/** The shape of the table of load generators: what each tool said of a server whose truth is known. */
import { z } from 'zod'

/** `right` and `off` are judged; `hidden`: the tool does not tell; `cannot`: it has no way to; `told`: context. */
export const truthVerdicts = ['right', 'off', 'hidden', 'cannot', 'failed', 'told'] as const

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

export const truthTableSchema = z
  .object({
    schema: z.literal(1),
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
      .array(z.object({ name: z.string(), version: z.string(), asks: z.string() }).readonly())
      .readonly(),
    absent: z.array(z.string()).readonly(),
    questions: z
      .array(z.object({ id: z.string(), title: z.string(), unit: z.string(), rule: z.string() }).readonly())
      .readonly(),
    /** tool → question → cell */
    cells: z.record(z.string(), z.record(z.string(), truthCellSchema)).readonly(),
  })
  .readonly()
export interface TruthTable extends z.infer<typeof truthTableSchema> {}

/**
 * Cells in which two tables of one host disagree: another verdict, or values further apart than both their errors.
 * A value that has no error of its own is judged by its verdict alone.
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
      const far =
        left.value !== undefined &&
        right.value !== undefined &&
        left.error !== undefined &&
        right.error !== undefined &&
        Math.abs(left.value - right.value) > left.error + right.error
      if (left.verdict === right.verdict && !far) agreeing++
      else
        apart.push(`${tool}, ${question}: ${left.verdict} (${left.text}), ${right.verdict} (${right.text})`)
    }
  return { agreeing, apart }
}
