/** The picture of the first screen: one row an arm, its path in miniature beside its figures as intervals on common axes. */
import { metricText, type GateVerdict } from '../../../harness/analyze/gate.js'
import { notMeasured, whatOf } from '../../../harness/analyze/standings.js'
import { hasNoInterval } from '../../../harness/analyze/words.js'
import { defined } from '../../../harness/model/defined.js'
import type { Estimate } from '../../../harness/model.js'
import { metricTitle } from '../../../scenarios/registry.js'
import * as metrics from '../../../scenarios/metrics.js'
import { given, plural, sentence, thousand } from '../../formats/format.js'
import { escapeHtml } from '../clean.js'
import type { Chip, FigureBook } from '../figures.js'
import { axisOf, drawAxis, drawInterval, type Band } from '../drawings/interval.js'
import { sketchPath } from '../drawings/path-sketch.js'
import { listOf, notEncrypting, rank } from '../ranking.js'
import { addedOf, cpuMetrics, isUnder, latencyMetrics, type Added, type ArmView, type View } from '../view.js'
import { pricedFunctions } from './functions.js'

export interface Picture {
  readonly id: string
  readonly caption: string
  readonly lastTitle: string
  readonly columns: readonly { readonly title: string; readonly brief: string; readonly ticks: string }[]
  readonly rows: readonly PictureRow[]
  /** Rows that are folded, and why. */
  readonly more: readonly PictureRow[]
  readonly moreText: string
}

interface PictureRow {
  readonly key: string
  readonly label: string
  readonly colour: string
  readonly sketch: string
  readonly kind: 'subject' | 'twin'
  readonly cells: readonly PictureCell[]
  /** Printed without a drawing, at the end. */
  readonly last: string
  /** In place of figures: why there are none. */
  readonly note?: string
}

interface PictureCell {
  readonly drawing: string
  readonly html: string
  readonly chip?: Chip
}

/** More rows than this are folded: cheapest, dearest, worse than a threshold and asked for come first. */
const mostRows = 8

/** More of them are in the banners and under evidence. */
const mostMissing = 4

export interface Column {
  readonly title: string
  readonly brief: string
  readonly kind: 'difference' | 'ratio'
  readonly band?: Band | undefined
  readonly of: (arm: ArmView) => Shown | undefined
}

type Shown = Pick<Added, 'metric' | 'percentile'> & {
  readonly estimate: Estimate | undefined
  readonly chip?: Chip
}

/** Of a picture its heads, and how rows are drawn below them: one axis a column, wide enough for all arms. */
export function layOut(columns: readonly Column[], arms: readonly ArmView[], book: FigureBook) {
  const laid = columns.map((column) => {
    const shown = arms.flatMap((arm) => column.of(arm)?.estimate ?? [])
    return { column, axis: axisOf(shown, column.kind === 'ratio' ? 1 : 0, column.band) }
  })
  return {
    columns: laid.map(({ column: { title, brief }, axis }) => ({ title, brief, ticks: drawAxis(axis) })),
    rowOf: (arm: ArmView): Omit<PictureRow, 'last'> => ({
      ...rowHead(arm),
      cells: laid.map(({ column: { of, kind }, axis }) => {
        const { estimate, metric = 'none', percentile, chip } = of(arm) ?? {}
        return {
          drawing: estimate ? drawInterval(estimate, axis, arm) : '',
          html: book.print(estimate, { metric, percentile, kind }),
          ...defined({ chip }),
        }
      }),
    }),
  }
}

/** Between these ratios lies what is too little to matter. */
export const sameBand = (practical: number): Band => ({
  ...{ means: 'too little to matter', low: 1 - practical, high: 1 + practical },
})

/** What each path adds; undefined when nothing was compared. */
export function addedPicture(view: View, book: FigureBook): Picture | undefined {
  const twins = view.arms.filter(({ arm }) => arm.role === 'twin')
  const column = (title: string, brief: string, of: Column['of']): Column => {
    // What the twins differ by is the noise floor.
    const floor = twins
      .flatMap((twin) => of(twin)?.estimate ?? [])
      .filter((estimate) => !hasNoInterval(estimate))
    const low = Math.min(...floor.map((estimate) => estimate.low))
    const high = Math.max(...floor.map((estimate) => estimate.high))
    const band = floor.length === 0 ? undefined : ({ means: 'noise floor', low, high } as const)
    return { title, brief, kind: 'difference', band, of }
  }
  const columns = [
    column('added p50, ms', 'p50, ms', ({ id }) => view.added(id, 'latency', { percentile: 50 })),
    column('added p99, ms', 'p99, ms', ({ id }) => view.added(id, 'latency', { percentile: 99 })),
    column(cpuColumn.title, cpuColumn.brief, ({ id }) => view.added(id, 'cpu')),
  ]
  const sorted = sortedSubjects(view)
  if (sorted.every((arm) => columns.every(({ of }) => of(arm) === undefined))) return undefined
  const drawn = layOut(columns, sorted, book)
  const rowOf = (arm: ArmView) => ({
    ...drawn.rowOf(arm),
    last: book.print(view.cell(arm.id)?.hopMemory, { metric: metrics.memory.id, kind: 'value' }),
    ...(arm.arm.role === 'twin' && twins.length === 1 ? { label: 'A/A difference' } : {}),
  })
  const chosen = sorted.length <= mostRows ? sorted : choose(view, sorted)
  const rest = sorted.filter((arm) => !chosen.includes(arm))
  const shown = sorted.flatMap((arm) => columns.flatMap(({ of }) => of(arm)?.estimate ?? []))
  const marks = shown.every(hasNoInterval)
    ? 'dots are figures of one round, which has no interval'
    : 'dots are estimates, lines 95 % intervals, the grey band is what the baseline differs by from itself when it is measured twice (A/A)'
  return {
    id: 'picture',
    lastTitle: 'memory of hops, MiB',
    caption: `Added to a direct request${directWords(view)}: ${marks}${unlike(view.subjects)}`,
    columns: drawn.columns,
    rows: [
      ...chosen.map(rowOf),
      ...missingRows(view),
      ...twins.filter((twin) => columns.some(({ of }) => of(twin))).map(rowOf),
    ],
    more: rest.map(rowOf),
    moreText: `${plural(rest.length, 'more arm')} between the cheapest and the dearest`,
  }
}

const cpuColumn = { title: `added CPU, ms per ${thousand} requests`, brief: `CPU, ms/${thousand}` }

/** What each function adds to the same hops without it, the dearest first; undefined when none was measured. */
export function functionPicture(view: View, book: FigureBook): Picture | undefined {
  const priced = pricedFunctions(view)
  if (priced.length === 0) return undefined
  const of = (arm: ArmView) => priced.find((price) => price.arm === arm)
  const columns: readonly Column[] = [
    { ...cpuColumn, kind: 'difference', of: (arm) => addedOf(of(arm)?.cpu) },
    { title: 'added p50, ms', brief: 'p50, ms', kind: 'difference', of: (arm) => addedOf(of(arm)?.time) },
  ]
  const arms = priced.map(({ arm }) => arm)
  const drawn = layOut(columns, arms, book)
  const rows = priced.map(({ arm, control }) => ({ ...drawn.rowOf(arm), last: dim(control.label) }))
  return {
    id: 'functions-picture',
    lastTitle: 'on top of',
    caption:
      'What each function adds to the same hops without it, sent the same requests in the same rounds: dots are estimates, lines 95 % intervals; a function whose interval holds 0 costs nothing that this run can tell',
    columns: drawn.columns,
    ...folded(rows, 'more function'),
  }
}

const dim = (label: string) => `<span class="dim">${escapeHtml(label)}</span>`

const folded = (rows: readonly PictureRow[], more: string) => ({
  rows: rows.slice(0, mostRows),
  more: rows.slice(mostRows),
  moreText: plural(Math.max(0, rows.length - mostRows), more),
})

/** What a request takes that no path was added to: without it nobody knows whether little was added to much. */
function directWords(view: View): string {
  const baselines = view.arms.filter(({ arm }) => arm.role === 'baseline')
  const cell = baselines[0] && baselines.length === 1 ? view.cell(baselines[0].id) : undefined
  const time = (cell?.response ?? cell?.service)?.['50']
  const parts = [
    ...(time ? [`${sentence(time)} at p50`] : []),
    ...(cell?.cpu ? [`${sentence(cell.cpu)} of CPU per ${thousand}`] : []),
  ]
  return parts.length === 0 ? '' : `, which takes ${listOf(parts)}`
}

/** A reader of a difference has to know what one of the two does not do. */
function unlike(arms: readonly ArmView[]): string {
  const told = notEncrypting(arms)
  return told === undefined ? '' : `. Not like for like: ${told}, what has locks does`
}

/** Arms that were asked for and have no figure: a picture without them would answer another question. */
function missingRows(view: View): PictureRow[] {
  return notMeasured(view.analysis)
    .slice(0, mostMissing)
    .map(({ arm, missing }) => ({
      ...rowHead(view.arm(arm)),
      cells: [],
      last: '',
      note: `not measured: ${missing[0] ? whatOf(missing[0]) : 'was not reached'}`,
    }))
}

/** Every variant against its control, as ratios with what is too little to matter behind; undefined without variants. */
export function variantPicture(
  view: View,
  book: FigureBook,
  verdicts: readonly GateVerdict[],
): Picture | undefined {
  const here = view.lead === undefined ? verdicts : verdicts.filter(isUnder(view.lead))
  const judged = here.length > 0 ? here : verdicts
  if (judged.every(({ ratio }) => ratio === undefined)) return undefined
  const checks = [...new Map(judged.map(({ check }) => [metricText(check), check])).values()]
  const arms = [...new Set(judged.map(({ arm }) => arm))].map((id) => view.arm(id))
  const columns = checks.map((check): Column => ({
    title: `${metricTitle(check.metric, check.percentile)}, ratio (±${given(check.practical * 100)} % is the same)`,
    brief: `${briefly(check)}, ratio`,
    kind: 'ratio',
    band: sameBand(check.practical),
    of(arm) {
      const verdict = judged.find((own) => own.arm === arm.id && metricText(own.check) === metricText(check))
      if (!verdict) return undefined
      const chip = {
        kind: verdict.state,
        text: verdict.isOneProcess ? 'rounds of one process' : verdict.state,
      }
      return { metric: check.metric, percentile: check.percentile, estimate: verdict.ratio, chip }
    },
  }))
  const drawn = layOut(columns, arms, book)
  const rows = arms.map((arm) => ({
    ...drawn.rowOf(arm),
    last: dim(view.arm(arm.arm.control ?? '').label),
  }))
  const worst = (row: PictureRow) => (row.cells.some(({ chip }) => chip?.kind === 'worse') ? 0 : 1)
  rows.sort((a, b) => worst(a) - worst(b))
  return {
    id: 'variants-picture',
    lastTitle: 'against',
    caption:
      'Each variant as a ratio to its control, measured in the same rounds, of whole requests and not of what its path adds: dots are estimates, lines 95 % intervals; what lies between the dashed lines is too little to matter',
    columns: drawn.columns,
    ...folded(rows, 'more variant'),
  }
}

/** A check's metric inside a sentence: `its CPU`, `the median time`. */
export function checkWords({ check: { metric, percentile } }: Pick<GateVerdict, 'check'>): string {
  if (percentile !== undefined) return percentile === 50 ? 'the median time' : `p${percentile}`
  return metric === metrics.cpu.id ? 'its CPU' : metric === metrics.memory.id ? 'its memory' : metric
}

/** A check's metric where there is room for a word. */
function briefly({ metric, percentile }: GateVerdict['check']): string {
  if (percentile !== undefined) return `p${percentile}`
  return metric === metrics.cpu.id ? 'CPU' : metricTitle(metric)
}

function rowHead({ key, label, colour, path, arm: { role } }: ArmView) {
  const kind = role === 'twin' ? ('twin' as const) : ('subject' as const)
  return { key, label, colour, sketch: sketchPath(path, colour), kind }
}

/** By added CPU, else by added time, the cheapest first; what was not compared last. */
function sortedSubjects(view: View): readonly ArmView[] {
  const order = (rank(view, 'cpu') ?? rank(view, 'time'))?.all.map(({ arm }) => arm) ?? []
  const rest = view.subjects.filter((arm) => !order.includes(arm) && measured(view, arm))
  return [...order, ...rest]
}

function measured(view: View, arm: ArmView): boolean {
  return (
    view.compare(arm.id, latencyMetrics, { percentile: 50 }) !== undefined ||
    view.compare(arm.id, cpuMetrics) !== undefined
  )
}

function choose(view: View, sorted: readonly ArmView[]): readonly ArmView[] {
  const { thresholds, command } = view.analysis
  const wanted = (arm: ArmView) =>
    command.includes(arm.id) ||
    thresholds.some(({ threshold, state }) => state === 'fail' && threshold.arm === arm.id)
  const chosen = new Set(sorted.filter(wanted).slice(0, mostRows))
  // From both ends inwards until the rows are full.
  for (let step = 0; chosen.size < mostRows && step < sorted.length; step++) {
    const arm = step % 2 === 0 ? sorted[step / 2] : sorted[sorted.length - (step + 1) / 2]
    if (arm) chosen.add(arm)
  }
  return sorted.filter((arm) => chosen.has(arm))
}
