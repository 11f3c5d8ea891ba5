/** The questions of a run in the order of what decides most: each with its verdict, one chart, and the rest folded. */
import { gate } from '../../../harness/analyze/gate.js'
import type { Table } from '../../charts/chart.js'
import type { ChartName } from '../../charts/index.js'
import { escapeHtml } from '../clean.js'
import type { FigureBook } from '../figures.js'
import { plural } from '../../formats/format.js'
import { tableView } from '../page.js'
import type { View } from '../view.js'
import type { Chip } from './chip.js'
import { billTable } from './bill.js'
import { costTable } from './cost.js'
import { functionCostTable } from './functions.js'
import { headToHead } from './head-to-head.js'
import { leadText, otherLoads } from './loads.js'
import { buildPaths, type PathFigure } from './paths.js'
import { gateNotes, gateTable, thresholdLines, type ThresholdLine } from './thresholds.js'
import { connectTables, streamTables, type TransportTables } from './transport.js'

/** A chart as it stands on the page. */
export interface DrawnChart {
  readonly name: string
  readonly title: string
  readonly caption: string
  readonly alternative: string
  readonly wide: string
  readonly narrow: string
  readonly table: object
}

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

export interface Fold {
  readonly summary: string
  readonly html?: string
  readonly charts?: readonly DrawnChart[]
  readonly tables?: readonly { readonly label: string; readonly table: object }[]
  readonly paths?: readonly PathFigure[]
}

export function buildQuestions(view: View, book: FigureBook, drawn: Drawn): Question[] {
  return [
    ...verdictQuestions(view, book),
    ...pathQuestion(view, book, drawn),
    ...latencyQuestion(view, book, drawn),
    ...costQuestions(view, book, drawn),
    ...limitQuestion(drawn),
    ...sweepQuestion(drawn),
    ...transportQuestions(view, book),
  ]
}

function verdictQuestions(view: View, book: FigureBook): Question[] {
  const verdicts = gate(view.analysis).variants
  const lines = thresholdLines(view, book)
  const worse = verdicts.filter(({ state }) => state === 'worse').length
  const open = verdicts.filter(({ state }) => state === 'inconclusive').length
  return [
    ...(verdicts.length === 0
      ? []
      : [
          {
            id: 'variants',
            question: 'Did the variants change anything?',
            html: `Of ${plural(verdicts.length, 'check')}, ${worse} ${worse === 1 ? 'is' : 'are'} worse, ${verdicts.filter(({ state }) => state === 'better').length} better, ${verdicts.filter(({ state }) => state === 'same').length} the same and ${open} not decided.`,
            folds: [
              {
                ...tableFold(
                  'Every check under every load',
                  gateTable(view, book, verdicts),
                  'Checks of the variants',
                ),
                html: gateNotes(view, verdicts),
              },
            ],
          },
        ]),
    ...(lines.length === 0
      ? []
      : [{ id: 'thresholds', question: 'Did it pass its thresholds?', lines, folds: [] }]),
    ...headToHead(view, book).map((choice, index) => ({
      id: index === 0 ? 'choice' : `choice-${index + 1}`,
      ...choice,
      folds: [],
    })),
  ]
}

function pathQuestion(view: View, book: FigureBook, drawn: Drawn): Question[] {
  const paths = buildPaths(view, book)
  if (paths.length === 0) return []
  return [
    {
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
    },
  ]
}

function latencyQuestion(view: View, book: FigureBook, drawn: Drawn): Question[] {
  const other = otherLoads(view, book)
  const folds = [
    ...foldOf('By percentile, as a curve', drawn, ['percentile-curve']),
    ...(other.length === 0
      ? []
      : [
          {
            summary: `Other loads: ${other.map(({ text }) => text).join('; ')}`,
            tables: other.map(({ text, table }) => ({ label: text, table: tableView(table) })),
          },
        ]),
  ]
  return drawn.added_latency || folds.length > 0
    ? [
        {
          id: 'latency',
          question: 'How much later do answers come, and how late are the last?',
          chart: drawn.added_latency,
          folds,
        },
      ]
    : []
}

function costQuestions(view: View, book: FigureBook, drawn: Drawn): Question[] {
  const bill = billTable(view, book)
  const cost = costTable(view, book)
  const functions = functionCostTable(view, book)
  const folds: Fold[] = [
    ...(bill === undefined
      ? []
      : [
          {
            ...tableFold('The bill in full', bill.table),
            html: escapeHtml([bill.note, bill.callsNote].filter((note) => note !== '').join(' ')),
          },
        ]),
    ...foldOf('User space and kernel', drawn, ['cpu-modes']),
    ...foldOf('Time against CPU', drawn, ['tradeoff']),
    ...(cost === undefined
      ? []
      : [
          {
            ...tableFold('What it is worth in money', cost.table, 'Cost'),
            html: escapeHtml(cost.intro),
          },
        ]),
  ]
  return [
    ...(drawn.cpu_bill || folds.length > 0
      ? [{ id: 'resources', question: 'What does it cost in CPU?', chart: drawn.cpu_bill, folds }]
      : []),
    ...(functions === undefined
      ? []
      : [
          {
            id: 'functions',
            question: 'What does each function cost by itself?',
            html: `Hops with the function on against the same hops without it, ${leadText(view)}, differences with 95 % intervals, paired within rounds. Every arm was sent the same requests.`,
            folds: [tableFold('Functions, each by itself', functions, 'What each function costs by itself')],
          },
        ]),
    ...(drawn.memory ? [{ id: 'memory', question: 'How much memory?', chart: drawn.memory, folds: [] }] : []),
  ]
}

/** A search tells more than a sweep of rates, and both more than a closed loop: one is shown, the others fold. */
function limitQuestion(drawn: Drawn): Question[] {
  const found = (['knee', 'latency-vs-rate', 'capacity'] as const).filter((name) => drawn[under(name)])
  const [first, ...rest] = found
  if (first === undefined) return []
  const summaries = { knee: 'The search', 'latency-vs-rate': 'Latency against rate', capacity: 'Always busy' }
  return [
    {
      id: 'limit',
      question: 'How much does it carry?',
      chart: drawn[under(first)],
      folds: rest.flatMap((name) => foldOf(summaries[name], drawn, [name])),
    },
  ]
}

function sweepQuestion(drawn: Drawn): Question[] {
  const [first, ...rest] = (['sweep-rate', 'sweep-connections', 'sweep-payload'] as const).filter(
    (name) => drawn[under(name)],
  )
  if (first === undefined) return []
  return [
    {
      id: 'sweep',
      question: 'How does it change with the load?',
      chart: drawn[under(first)],
      folds: rest.flatMap((name) => foldOf(drawn[under(name)]?.title ?? name, drawn, [name])),
    },
  ]
}

function transportQuestions(view: View, book: FigureBook): Question[] {
  const question = (id: string, text: string, html: string, found: readonly TransportTables[]): Question[] =>
    found.length === 0
      ? []
      : [
          {
            id,
            question: text,
            html,
            folds: found.map(({ text: load, tables }) => ({
              summary: `${load}, with 95 % intervals over rounds`,
              tables: tables.map(({ label, table }) => ({ label, table: tableView(table) })),
            })),
          },
        ]
  return [
    ...question(
      'connections',
      'What does a new connection cost?',
      'Every request opens a connection of its own, in plain TCP, and both times start when that is begun. A connection stands as soon as the first hop has taken it; the first byte has come along the whole path. About 0 handshakes per connection: the hops pool what they encrypt, or encrypt nothing; 1: each connection cost a handshake. The client itself speaks no TLS; hops that are told to resume TLS sessions (<code>tunnel.pool.resume</code>) show how many of the handshakes did.',
      connectTables(view, book),
    ),
    ...question(
      'transfers',
      'What do long transfers cost?',
      'Payload alone counts, in one direction: Gb/s are 10⁹ bits, a GiB is 2³⁰ bytes. CPU is that of hops, application and control plane.',
      streamTables(view, book),
    ),
  ]
}

const tableFold = (summary: string, table: Table, label = summary): Fold => ({
  summary,
  tables: [{ label, table: tableView(table) }],
})

const under = (name: ChartName) => name.replaceAll('-', '_')

function foldOf(summary: string, drawn: Drawn, names: readonly ChartName[]): Fold[] {
  const charts = names.flatMap((name) => drawn[under(name)] ?? [])
  return charts.length === 0 ? [] : [{ summary, charts }]
}
