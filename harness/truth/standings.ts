/** Whether our own engines are the closest to the truth in what they can answer, beside tools asked for the same. Pure. */
import type { Standing, TruthCell } from '../model/truth.js'
import { defined } from '../model/defined.js'
import { questions, type Question, type QuestionName } from './questions.js'
import type { Subject } from './subject.js'

type Cells = Readonly<Record<string, Readonly<Record<string, TruthCell>>>>

const compareOf = (name: QuestionName) => (questions[name] as Question).compare

const late = 'what fell due while its core was taken away is sent at once when it is back'
const turn =
  'an event loop in JavaScript takes a turn, and now and then compiles or collects, before it reads its clock for a reply'

/** Why another tool is closer, question by question, where it was found to be. */
const reasons: Readonly<Partial<Record<QuestionName, string>>> = {
  ...{ rate: late, arrivals: late, punctual: late },
  ...{ adds: turn, 'delay-200us': turn, 'delay-1ms': turn, 'delay-5ms': turn, slow: turn },
}

/**
 * One standing for each question that each of our engines can answer. Compared are tools that were asked for the same: with a
 * rate those that take one, without those that do not.
 */
export function standingsOf(
  cells: Cells,
  tools: readonly Pick<Subject, 'name' | 'program' | 'takesRate'>[],
): readonly Standing[] {
  return tools
    .filter(({ program }) => program === undefined)
    .flatMap((engine) => {
      const others = tools.filter(
        ({ program, takesRate }) => program !== undefined && takesRate === engine.takesRate,
      )
      return (Object.keys(questions) as QuestionName[]).flatMap(
        (question) =>
          standingOf(
            engine.name,
            others.map(({ name }) => name),
            question,
            cells,
          ) ?? [],
      )
    })
}

/** Undefined where the engine cannot be asked, or nothing is true of the question. */
function standingOf(
  engine: string,
  others: readonly string[],
  question: QuestionName,
  cells: Cells,
): Standing | undefined {
  const own = cells[engine]?.[question]
  if (compareOf(question) === 'never' || !own || own.verdict === 'cannot') return undefined
  const answers = others
    .flatMap((other) => {
      const cell = cells[other]?.[question]
      return cell ? [{ other, cell, distance: distanceOf(other, cell, question, cells) }] : []
    })
    .filter(({ distance }) => Number.isFinite(distance))
    .sort((a, b) => a.distance - b.distance)
  const [best] = answers
  const standing = { engine, question, ...defined({ other: best?.other }) }
  const distance = distanceOf(engine, own, question, cells)
  if (!best) return { ...standing, place: Number.isFinite(distance) ? 'closest' : 'behind' }
  if (distance < best.distance) return { ...standing, place: 'closest' }
  if (isLevel(own, best.cell, distance - best.distance)) return { ...standing, place: 'level' }
  const isMeasured = compareOf(question) === undefined && Number.isFinite(distance)
  const by = isMeasured ? Number((distance - best.distance).toPrecision(3)) : undefined
  return { ...standing, place: 'behind', ...defined({ by, why: reasons[question] }) }
}

/** A value that has no error of its own counts as known as well as the question asks for. */
function isLevel(own: TruthCell, best: TruthCell, by: number): boolean {
  if (by === 0) return true
  if (own.error === undefined && best.error === undefined)
    return own.verdict === 'right' && best.verdict === 'right'
  return by <= (own.error ?? 0) + (best.error ?? 0)
}

/** From the truth, in the question's unit; no less than the step of a tool's times, which may hit the truth unknowing. */
function distanceOf(tool: string, cell: TruthCell, question: QuestionName, cells: Cells): number {
  if (compareOf(question) === 'verdict')
    return cell.verdict === 'right' ? 0 : cell.verdict === 'cannot' ? Infinity : 1
  if (cell.value === undefined) return Infinity
  const step = questions[question].unit === 'µs' ? (cells[tool]?.resolution?.value ?? 0) : 0
  return Math.max(Math.abs(cell.value - (cell.truth ?? 0)), step)
}
