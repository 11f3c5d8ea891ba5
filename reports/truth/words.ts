/** What page and Markdown of the load generators' table say alike. */
import type { Standing, TruthCell, TruthTable } from '../../harness/model/truth.js'

const marks: Readonly<Record<TruthCell['verdict'], string>> = {
  ...{ right: '✓', off: '✗', undecided: '~', hidden: '?', cannot: '–', failed: '!', told: '' },
}

export const markOf = (cell: TruthCell): string => marks[cell.verdict]

export const keyLine =
  '✓ right, ✗ off, ~ the limit lies within the error, ? not told by the tool, – cannot be asked of it, ! failed. ± is half of the 95 % interval over repeats; in brackets what was true.'

export const truthColumns = ({ tools }: TruthTable): readonly string[] => [
  'question',
  ...tools.map(({ name, version }) => `${name} ${version}`.trim()),
  'ours beside others',
]

/** Who is right in most of the questions that are judged, and who comes next. */
export function standingLine({ tools, cells }: TruthTable): string {
  const standings = tools
    .map(({ name }) => {
      const judged = Object.values(cells[name] ?? {}).filter(({ verdict }) => verdict !== 'told')
      return { name, right: judged.filter(({ verdict }) => verdict === 'right').length, of: judged.length }
    })
    .sort((a, b) => b.right - a.right)
  const [first, second] = standings
  if (!first) return 'No load generator was there to be asked.'
  const next = second ? `; the next, ${second.name}, in ${second.right}` : ''
  return `${first.name} is right in ${first.right} of ${first.of} questions${next}.`
}

/** Whether our own engines are the closest to the truth wherever they have an answer. */
export function closestLine({ standings }: TruthTable): string {
  const behind = standings.filter(({ place }) => place === 'behind')
  const met = `Our engines are the closest to the truth, or level with the closest, in ${standings.length - behind.length} of ${standings.length} answers`
  return behind.length === 0 ? `${met}.` : `${met}; where another is closer, the reason stands beside it.`
}

/** One question's answers of our own engines beside those of others, in words. */
export function standingWords(table: TruthTable, question: string): string {
  const unit = table.questions.find(({ id }) => id === question)?.unit ?? ''
  return table.standings
    .filter((standing) => standing.question === question)
    .map((standing) => `${standing.engine}: ${placeWords(standing, unit)}`)
    .join('; ')
}

function placeWords({ place, other, by, why }: Standing, unit: string): string {
  if (other === undefined) return 'no other answers'
  if (place !== 'behind') return place === 'level' ? `level with ${other}` : place
  return `behind ${other}${by === undefined ? '' : ` by ${by} ${unit}`}${why === undefined ? '' : `: ${why}`}`
}

export const notesOf = ({ tools }: TruthTable): readonly string[] => tools.flatMap(({ notes }) => notes)

export function hostLine({ host, started, seconds }: TruthTable): string {
  return `${host.cpus} × ${host.model}, Linux ${host.kernel}, Node ${host.node}, ${started}, ${seconds} s. A thread that sleeps is woken ${host.wakeUpLateP99Us} µs late (p99); while tools were measured, spinners of the lowest priority kept the cores awake.`
}

/** Beyond this what others do on the host is in the tools' times. */
const busyCores = 0.1

export function warningsOf({ host }: TruthTable): readonly string[] {
  return host.busyCores > busyCores
    ? [
        `The host was not idle: others kept ${host.busyCores} cores busy before the start. Latencies hold that.`,
      ]
    : []
}
