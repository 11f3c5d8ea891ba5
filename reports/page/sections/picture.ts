/** The picture of the first screen: one row an arm, its path in miniature beside its figures as intervals on common axes. */
import type { GateVerdict } from '../../../harness/analyze/gate.js'
import { notMeasured, whatOf } from '../../../harness/analyze/standings.js'
import { metricText } from '../../../harness/analyze/gate.js'
import { hasProtectedLegs } from '../../../harness/model/paths.js'
import type { Comparison } from '../../../harness/model.js'
import { metricTitle } from '../../../scenarios/registry.js'
import * as metrics from '../../../scenarios/metrics.js'
import { given, plural, sentence, thousand } from '../../formats/format.js'
import { escapeHtml } from '../clean.js'
import type { FigureBook } from '../figures.js'
import { axisOf, drawAxis, drawInterval, type Axis, type Band } from '../drawings/interval.js'
import { sketchPath } from '../drawings/path-sketch.js'
import { listOf, rank } from '../ranking.js'
import { cpuMetrics, isUnder, latencyMetrics, type Added, type ArmView, type View } from '../view.js'
import type { Chip } from './chip.js'
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

interface Column {
  readonly title: string
  readonly brief: string
  readonly of: (arm: ArmView) => Added | undefined
}

/** What each path adds; undefined when nothing was compared. */
export function addedPicture(view: View, book: FigureBook): Picture | undefined {
  const twins = view.arms.filter(({ arm }) => arm.role === 'twin')
  const columns: readonly Column[] = [
    {
      title: 'added p50, ms',
      brief: 'p50, ms',
      of: (arm) => view.added(arm.id, 'latency', { percentile: 50 }),
    },
    {
      title: 'added p99, ms',
      brief: 'p99, ms',
      of: (arm) => view.added(arm.id, 'latency', { percentile: 99 }),
    },
    {
      title: `added CPU, ms per ${thousand} requests`,
      brief: `CPU, ms/${thousand}`,
      of: (arm) => view.added(arm.id, 'cpu'),
    },
  ]
  const sorted = sortedSubjects(view)
  if (sorted.every((arm) => columns.every(({ of }) => of(arm) === undefined))) return undefined
  const axes = axesOf(columns, sorted, twins)
  const rowOf = (arm: ArmView) => ({
    ...differenceRow(arm, columns, axes, book),
    ...(arm.arm.role === 'twin' && twins.length === 1 ? { label: 'A/A difference' } : {}),
    last: book.print(view.cell(arm.id)?.hopMemory, { metric: metrics.memory.id, kind: 'value' }),
  })
  const chosen = sorted.length <= mostRows ? sorted : choose(view, sorted)
  const rest = sorted.filter((arm) => !chosen.includes(arm))
  return {
    id: 'picture',
    lastTitle: 'memory of hops, MiB',
    caption: `Added to a direct request${directWords(view)}: dots are estimates, lines 95 % intervals, the grey band is what the baseline differs by from itself when it is measured twice (A/A)${unlike(view.subjects)}`,
    columns: headsOf(columns, axes),
    rows: [
      ...chosen.map(rowOf),
      ...missingRows(view),
      ...twins.filter((twin) => columns.some(({ of }) => of(twin))).map(rowOf),
    ],
    more: rest.map(rowOf),
    moreText: `${plural(rest.length, 'more arm')} between the cheapest and the dearest`,
  }
}

/** What each function adds to the same hops without it, the dearest first; undefined when none was measured. */
export function functionPicture(view: View, book: FigureBook): Picture | undefined {
  const priced = pricedFunctions(view)
  if (priced.length === 0) return undefined
  const columns: readonly Column[] = [
    {
      title: `added CPU, ms per ${thousand} requests`,
      brief: `CPU, ms/${thousand}`,
      of: (arm) => addedOf(priced.find((price) => price.arm === arm)?.cpu),
    },
    {
      title: 'added p50, ms',
      brief: 'p50, ms',
      of: (arm) => addedOf(priced.find((price) => price.arm === arm)?.time),
    },
  ]
  const arms = priced.map(({ arm }) => arm)
  const axes = axesOf(columns, arms, [])
  const rows = priced.map(({ arm, control }) => ({
    ...differenceRow(arm, columns, axes, book),
    last: `<span class="dim">${escapeHtml(control.label)}</span>`,
  }))
  return {
    id: 'functions-picture',
    lastTitle: 'on top of',
    caption:
      'What each function adds to the same hops without it, sent the same requests in the same rounds: dots are estimates, lines 95 % intervals; a function whose interval holds 0 costs nothing that this run can tell',
    columns: headsOf(columns, axes),
    ...folded(rows, 'more function'),
  }
}

const folded = (rows: readonly PictureRow[], more: string) => ({
  rows: rows.slice(0, mostRows),
  more: rows.slice(mostRows),
  moreText: plural(Math.max(0, rows.length - mostRows), more),
})

const addedOf = (comparison: Comparison | undefined): Added | undefined =>
  comparison && {
    metric: comparison.metric,
    percentile: comparison.percentile,
    estimate: comparison.difference,
  }

/** One axis a column, wide enough for all arms, with what `twins` differ by as the noise floor. */
function axesOf(columns: readonly Column[], arms: readonly ArmView[], twins: readonly ArmView[]) {
  return columns.map(({ of }) => {
    const floor = twins.flatMap((arm) => of(arm)?.estimate ?? [])
    const band: Band | undefined =
      floor.length === 0
        ? undefined
        : {
            means: 'noise floor',
            low: Math.min(...floor.map(({ low }) => low)),
            high: Math.max(...floor.map(({ high }) => high)),
          }
    return axisOf(
      arms.flatMap((arm) => of(arm)?.estimate ?? []),
      0,
      band,
    )
  })
}

const headsOf = (columns: readonly Column[], axes: readonly (Axis | undefined)[]) =>
  columns.map(({ title, brief }, index) => ({ title, brief, ticks: ticks(axes[index]) }))

function differenceRow(
  arm: ArmView,
  columns: readonly Column[],
  axes: readonly (Axis | undefined)[],
  book: FigureBook,
): Omit<PictureRow, 'last'> {
  return {
    ...rowHead(arm),
    cells: columns.map(({ of }, index) => {
      const found = of(arm)
      const axis = axes[index]
      return {
        drawing: found && axis ? drawInterval(found.estimate, axis, arm) : '',
        html: book.print(found?.estimate, {
          metric: found?.metric ?? 'none',
          percentile: found?.percentile,
          kind: 'difference',
        }),
      }
    }),
  }
}

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

/** Paths that encrypt do more than those that do not: a reader of their difference has to know. */
function unlike(arms: readonly ArmView[]): string {
  const plain = arms.filter(({ path }) => !hasProtectedLegs(path))
  if (plain.length === 0 || plain.length === arms.length) return ''
  const names = [...new Set(plain.map(({ label }) => label))]
  const who = names.length > 3 ? plural(names.length, 'arm') : listOf(names)
  return `. Not like for like: ${who} ${names.length === 1 ? 'does' : 'do'} not encrypt, what has locks does`
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
  const found = (arm: ArmView, check: (typeof checks)[number]) =>
    judged.find((verdict) => verdict.arm === arm.id && metricText(verdict.check) === metricText(check))
  const axes = checks.map((check) =>
    axisOf(
      judged.flatMap((verdict) =>
        metricText(verdict.check) === metricText(check) && verdict.ratio ? [verdict.ratio] : [],
      ),
      1,
      { means: 'too little to matter', low: 1 - check.practical, high: 1 + check.practical },
    ),
  )
  const rows = arms.map((arm): PictureRow => ({
    ...rowHead(arm),
    cells: checks.map((check, index): PictureCell => {
      const [verdict, axis] = [found(arm, check), axes[index]]
      const ratio = verdict?.ratio
      return {
        drawing: ratio && axis ? drawInterval(ratio, axis, arm) : '',
        html: book.print(ratio, { metric: check.metric, percentile: check.percentile, kind: 'ratio' }),
        ...(verdict
          ? { chip: { kind: verdict.state, text: verdict.isOneProcess ? 'one process each' : verdict.state } }
          : {}),
      }
    }),
    last: `<span class="dim">${escapeHtml(view.arm(arm.arm.control ?? '').label)}</span>`,
  }))
  const worst = (row: PictureRow) => (row.cells.some(({ chip }) => chip?.kind === 'worse') ? 0 : 1)
  const sorted = [...rows].sort((a, b) => worst(a) - worst(b))
  return {
    id: 'variants-picture',
    lastTitle: 'against',
    caption:
      'Each variant as a ratio to its control, measured in the same rounds, of whole requests and not of what its path adds: dots are estimates, lines 95 % intervals; what lies between the dashed lines is too little to matter',
    columns: checks.map((check, index) => ({
      title: `${metricTitle(check.metric, check.percentile)}, ratio (±${given(check.practical * 100)} % is the same)`,
      brief: `${briefly(check)}, ratio`,
      ticks: ticks(axes[index]),
    })),
    ...folded(sorted, 'more variant'),
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

function rowHead(arm: ArmView): Pick<PictureRow, 'key' | 'label' | 'colour' | 'sketch' | 'kind'> {
  const kind = arm.arm.role === 'twin' ? 'twin' : 'subject'
  return {
    key: arm.key,
    label: arm.label,
    colour: arm.colour,
    sketch: sketchPath(arm.path, arm.colour),
    kind,
  }
}

const ticks = (axis: Axis | undefined) => (axis ? drawAxis(axis) : '')

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
