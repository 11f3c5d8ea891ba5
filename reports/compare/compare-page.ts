/** Two runs side by side as a page in the report's form: what differs, the verdict as a picture, every ratio folded. */
import { visibleText } from '../../harness/analyze/visible.js'
import type { Analysis } from '../../harness/model.js'
import type { TableCell } from '../charts/chart.js'
import { dateTime, given, plural } from '../formats/format.js'
import { cleanDeep } from '../page/clean.js'
import { createFigureBook, type FigureBook } from '../page/figures.js'
import { renderPage, type ReportAssets } from '../page/page.js'
import { layOut, sameBand, type Column, type Picture } from '../page/sections/picture.js'
import { createView, pathStyle, type View } from '../page/view.js'
import { compareRuns, comparisonHeadline, isMain, type PairedFigure } from './compare.js'
import { metricText } from './compare-text.js'

/** The comparison as a page. `told` is true when the user asked for it in spite of objections, which the page then says. */
export function renderComparison(a: Analysis, b: Analysis, assets: ReportAssets, told: boolean): string {
  const [first, second] = [cleanDeep(a), cleanDeep(b)]
  const result = compareRuns(first, second)
  const book = createFigureBook()
  const [main, others] = [true, false].map((wanted) =>
    result.differences.filter((difference) => isMain(difference) === wanted),
  )
  const differences = (rows: typeof result.differences = []) => ({
    columns: ['what', first.runId, second.runId],
    rows: rows.map(({ what, a: x, b: y }) => [what, x, y]),
  })
  return renderPage(
    'compare',
    {
      title: `${first.runId} and ${second.runId}`,
      style: pathStyle(first.paths),
      body: {
        headline: comparisonHeadline(result.figures),
        runs: [first, second].map(
          (run) => `${run.runId}, ${dateTime(run.startedAt)}, version ${run.version}, ${run.host.cpuModel}`,
        ),
        objections: told
          ? result.objections.map((text) => `Compared because it was asked for. ${text}`)
          : result.objections,
        main: differences(main),
        others: differences(others),
        othersText: plural(others?.length ?? 0, 'more difference'),
        pictures: picturesOf(result.figures, createView(first), book),
        loads: loadsOf(result.figures).map(({ text, figures }) => ({
          text,
          table: {
            columns: [
              'arm',
              'against',
              'metric',
              `ratio in ${first.runId}`,
              `ratio in ${second.runId}`,
              'second to first',
              'smallest visible',
              'verdict',
            ],
            rows: figures.map((figure) => figureRow(figure, book)),
          },
        })),
        onlyA: result.onlyA.join(', '),
        onlyB: result.onlyB.join(', '),
      },
      embedded: { 'figure-legend': book.legend() },
    },
    assets,
  )
}

/** One picture a load: every arm's ratio to its baseline, the second run's to the first's. */
function picturesOf(figures: readonly PairedFigure[], view: View, book: FigureBook): Picture[] {
  return [...new Set(figures.map(loadOf))].flatMap((text, index): Picture[] => {
    const here = figures.filter(
      (figure) =>
        loadOf(figure) === text &&
        Number.isFinite(figure.change.low) &&
        view.arm(figure.comparison.arm).arm.baseline === figure.comparison.versus,
    )
    const metrics = [...new Set(here.map(({ comparison }) => metricText(comparison)))].slice(0, mostColumns)
    const columns = metrics.map((metric): Column => {
      const own = here.filter(({ comparison }) => metricText(comparison) === metric)
      const practical = own[0]?.practical ?? 0
      return {
        title: `${metric} (±${given(practical * 100)} % is the same)`,
        brief: metric,
        kind: 'ratio',
        band: sameBand(practical),
        of(arm) {
          const found = own.find(({ comparison }) => comparison.arm === arm.id)
          if (!found) return undefined
          const { change: estimate, state, comparison } = found
          const { metric: id, percentile } = comparison
          return { metric: id, percentile, estimate, chip: { kind: state, text: state } }
        },
      }
    })
    const arms = [...new Set(here.map(({ comparison }) => comparison.arm))].map((id) => view.arm(id))
    if (arms.length === 0) return []
    const drawn = layOut(columns, arms, book)
    return [
      {
        id: `picture-${index}`,
        caption: `${text}: the second run’s ratio to the baseline as a ratio to the first’s. Dots are estimates, lines 95 % intervals; what lies between the dashed lines is too little to matter`,
        lastTitle: '',
        columns: drawn.columns,
        rows: arms.map((arm) => ({ ...drawn.rowOf(arm), kind: 'subject' as const, last: '' })),
        more: [],
        moreText: '',
      },
    ]
  })
}

/** More columns than this are too narrow for their figures; the tables have all metrics. */
const mostColumns = 4

const loadOf = ({ comparison: { experiment, loadLabel } }: PairedFigure) => `${experiment}, ${loadLabel}`

/** Figures of one load together, in the order of the first run; those that changed come first. */
function loadsOf(
  figures: readonly PairedFigure[],
): readonly { readonly text: string; readonly figures: readonly PairedFigure[] }[] {
  const changed = ({ state }: PairedFigure) => Number(state === 'worse' || state === 'better')
  return [...new Set(figures.map(loadOf))].map((text) => {
    const own = figures.filter((figure) => loadOf(figure) === text)
    return {
      text: `${text}: ${own.filter(changed).length} of ${own.length} ratios changed by more than matters`,
      figures: [...own].sort((a, b) => changed(b) - changed(a)),
    }
  })
}

function figureRow(
  { comparison, a, b, change, visible, state }: PairedFigure,
  book: FigureBook,
): TableCell[] {
  const { metric, percentile, arm, versus } = comparison
  const name = { metric, percentile, kind: 'ratio' } as const
  return [
    arm,
    versus,
    metricText(comparison),
    book.cell(a, name),
    book.cell(b, name),
    { html: Number.isFinite(change.low) ? book.print(change, name, 'change') : '–' },
    visible === undefined ? '–' : visibleText(visible, 'ratio'),
    state,
  ]
}
