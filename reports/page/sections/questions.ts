/** The questions of a run in the order of what decides most: each with its verdict, one chart, and the rest folded. */
import { gate } from '../../../harness/analyze/gate.js'
import type { Table } from '../../charts/chart.js'
import type { ChartName } from '../../charts/index.js'
import { escapeHtml } from '../clean.js'
import type { Chip, FigureBook } from '../figures.js'
import { plural } from '../../formats/format.js'
import type { DrawnChart } from '../svg.js'
import type { View } from '../view.js'
import { billTable } from './bill.js'
import { costTable, fleetAnswer } from './cost.js'
import { functionCostTable } from './functions.js'
import { headToHead } from './head-to-head.js'
import { leadText, otherLoads } from './loads.js'
import { buildPaths, type PathFigure } from './paths.js'
import { gateNotes, gateTable, thresholdLines, type ThresholdLine } from './thresholds.js'
import { connectTables, streamTables, type TransportTables } from './transport.js'

/** Charts that have data, by name with underscores. */
export type Drawn = Readonly<Partial<Record<string, DrawnChart>>>

export interface Question {
  readonly id: string
  readonly question: string
  readonly chip?: Chip
  readonly html?: string
  readonly lines?: readonly ThresholdLine[]
  readonly chart?: DrawnChart | undefined
  readonly folds: readonly Fold[]
}

interface Fold {
  readonly summary: string
  readonly html?: string
  readonly charts?: readonly DrawnChart[]
  readonly tables?: readonly { readonly label: string; readonly table: Table }[]
  readonly paths?: readonly PathFigure[]
}

export function buildQuestions(view: View, book: FigureBook, drawn: Drawn): Question[] {
  return present<Question>([
    variantQuestion(view, book),
    thresholdQuestion(view, book),
    ...headToHead(view, book).map((choice, index) => ({
      id: index === 0 ? 'choice' : `choice-${index + 1}`,
      ...choice,
      folds: [],
    })),
    fleetQuestion(view, book, drawn),
    pathQuestion(view, book, drawn),
    latencyQuestion(view, book, drawn),
    costQuestion(view, book, drawn),
    functionQuestion(view, book),
    drawn.memory && { id: 'memory', question: 'How much memory?', chart: drawn.memory, folds: [] },
    chartsQuestion(drawn, limit),
    chartsQuestion(drawn, sweep),
    connectionQuestion(view, book),
    transferQuestion(view, book),
  ])
}

function present<T>(list: readonly (T | undefined)[]): T[] {
  return list.filter((part) => part !== undefined)
}

function variantQuestion(view: View, book: FigureBook): Question | undefined {
  const verdicts = gate(view.analysis).variants
  if (verdicts.length === 0) return undefined
  const count = (wanted: string) => verdicts.filter(({ state }) => state === wanted).length
  const worse = count('worse')
  const table = gateTable(view, book, verdicts)
  return {
    id: 'variants',
    question: 'Did the variants change anything?',
    html: `Of ${plural(verdicts.length, 'check')}, ${worse} ${worse === 1 ? 'is' : 'are'} worse, ${count('better')} better, ${count('same')} the same and ${count('inconclusive')} not decided.`,
    folds: [
      tableFold('Every check under every load', table, gateNotes(view, verdicts), 'Checks of the variants'),
    ],
  }
}

function thresholdQuestion(view: View, book: FigureBook): Question | undefined {
  const lines = thresholdLines(view, book)
  if (lines.length === 0) return undefined
  return { id: 'thresholds', question: 'Did it pass its thresholds?', lines, folds: [] }
}

function pathQuestion(view: View, book: FigureBook, drawn: Drawn): Question | undefined {
  const paths = buildPaths(view, book)
  if (paths.length === 0) return undefined
  return {
    id: 'paths',
    question: 'Where on the path does it go?',
    chart: drawn.increments,
    folds: [
      {
        summary: `The paths drawn, with time, CPU and memory at every hop, ${leadText(view)}`,
        html: `Every box is a process that a request passes. L7 hops, with a heavy edge, parse requests; L4 hops, with round ends, move bytes. A double line with a lock is an encrypted leg. A dashed frame is a node, the thin frame in it an application’s pod, or the processes that stand for one: a sidecar is in it, other hops are outside. At a hop stand the time that the step which brought it added (two hops of one step are counted at the first), its own CPU per 1&#8239;000 requests and its resident memory.`,
        paths,
      },
    ],
  }
}

function latencyQuestion(view: View, book: FigureBook, drawn: Drawn): Question | undefined {
  const tables = otherLoads(view, book)
  const other = {
    summary: `Other loads: ${tables.map(({ label }) => label).join('; ')}`,
    tables,
  }
  const folds = present([
    foldOf('By percentile, as a curve', drawn, 'percentile-curve'),
    tables.length > 0 ? other : undefined,
  ])
  if (!drawn.added_latency && folds.length === 0) return undefined
  return {
    id: 'latency',
    question: 'How much later do answers come, and how late are the last?',
    chart: drawn.added_latency,
    folds,
  }
}

function costQuestion(view: View, book: FigureBook, drawn: Drawn): Question | undefined {
  const bill = billTable(view, book)
  const cost = costTable(view, book)
  const folds = present([
    bill && tableFold('The bill in full', bill.table, escapeHtml(bill.note)),
    foldOf('User space and kernel', drawn, 'cpu-modes'),
    foldOf('Time against CPU', drawn, 'tradeoff'),
    cost && tableFold('What it is worth in money', cost.table, escapeHtml(cost.intro), 'Cost'),
  ])
  if (!drawn.cpu_bill && folds.length === 0) return undefined
  return { id: 'resources', question: 'What does it cost in CPU?', chart: drawn.cpu_bill, folds }
}

function fleetQuestion(view: View, book: FigureBook, drawn: Drawn): Question | undefined {
  return (
    drawn.fleet && {
      ...{ id: 'fleet', question: 'What would it come to in your fleet?' },
      html: fleetAnswer(view, book),
      chart: drawn.fleet,
      folds: [],
    }
  )
}

function functionQuestion(view: View, book: FigureBook): Question | undefined {
  const table = functionCostTable(view, book)
  if (!table) return undefined
  return {
    id: 'functions',
    question: 'What does each function cost by itself?',
    html: `Hops with the function on against the same hops without it, ${leadText(view)}, differences with 95 % intervals, paired within rounds. Every arm was sent the same requests.`,
    folds: [tableFold('Functions, each by itself', table, '', 'What each function costs by itself')],
  }
}

/** Of several charts the first that has data is shown, and the others fold under their summary, or under their title. */
function chartsQuestion(
  drawn: Drawn,
  {
    id,
    question,
    summaries,
  }: Pick<Question, 'id' | 'question'> & { readonly summaries: Partial<Record<ChartName, string>> },
): Question | undefined {
  const [first, ...rest] = (Object.keys(summaries) as ChartName[]).filter((name) => chartOf(drawn, name))
  const folds = rest.map((name) =>
    foldOf(summaries[name] || (chartOf(drawn, name)?.title ?? name), drawn, name),
  )
  return first && { id, question, chart: chartOf(drawn, first), folds: present(folds) }
}

/** A search tells more than a sweep of rates, and both more than a closed loop. */
const limit = {
  id: 'limit',
  question: 'How much does it carry?',
  summaries: { knee: 'The search', 'latency-vs-rate': 'Latency against rate', capacity: 'Always busy' },
}
const sweep = {
  id: 'sweep',
  question: 'How does it change with the load?',
  summaries: { 'sweep-rate': '', 'sweep-connections': '', 'sweep-payload': '' },
}

function connectionQuestion(view: View, book: FigureBook): Question | undefined {
  const folds = connectTables(view, book).map(transportFold)
  if (folds.length === 0) return undefined
  return {
    id: 'connections',
    question: 'What does a new connection cost?',
    html: 'Every request opens a connection of its own, in plain TCP, and both times start when that is begun. A connection stands as soon as the first hop has taken it; the first byte has come along the whole path. About 0 handshakes per connection: the hops pool what they encrypt, or encrypt nothing; 1: each connection cost a handshake. The client itself speaks no TLS; hops that are told to resume TLS sessions (<code>tunnel.pool.resume</code>) show how many of the handshakes did.',
    folds,
  }
}

function transferQuestion(view: View, book: FigureBook): Question | undefined {
  const folds = streamTables(view, book).map(transportFold)
  if (folds.length === 0) return undefined
  return {
    id: 'transfers',
    question: 'What do long transfers cost?',
    html: 'Payload alone counts, in one direction: Gb/s are 10⁹ bits, a GiB is 2³⁰ bytes. CPU is that of hops, application and control plane.',
    folds,
  }
}

const transportFold = ({ text, tables }: TransportTables): Fold => ({
  summary: `${text}, with 95 % intervals over rounds`,
  tables,
})

const tableFold = (summary: string, table: Table, html: string, label = summary): Fold => ({
  summary,
  html,
  tables: [{ label, table }],
})

const chartOf = (drawn: Drawn, name: ChartName) => drawn[name.replaceAll('-', '_')]

function foldOf(summary: string, drawn: Drawn, name: ChartName): Fold | undefined {
  const chart = chartOf(drawn, name)
  return chart && { summary, charts: [chart] }
}
