/** What page and Markdown of the load generators' table say alike. */
import type { TruthCell, TruthTable } from '../../harness/model/truth.js'

const marks: Readonly<Record<TruthCell['verdict'], string>> = {
  ...{ right: '✓', off: '✗', hidden: '?', cannot: '–', failed: '!', told: '' },
}

export const markOf = (cell: TruthCell): string => marks[cell.verdict]

export const keyLine =
  '✓ right, ✗ off, ? not told by the tool, – cannot be asked of it, ! failed. ± is half of the 95 % interval over repeats; in brackets what was true.'

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

export function hostLine({ host, started, seconds }: TruthTable): string {
  return `${host.cpus} × ${host.model}, Linux ${host.kernel}, Node ${host.node}, ${started}, ${seconds} s. A thread that sleeps is woken ${host.wakeUpLateP99Us} µs late (p99).`
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
