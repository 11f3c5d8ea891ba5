/** Two runs side by side as a page in the report's form: what differs, the verdict as a picture, every ratio folded. */
import { visibleText } from '../../harness/analyze/visible.js'
import type { Analysis } from '../../harness/model.js'
import type { TableCell } from '../charts/chart.js'
import { dateTime, given, plural } from '../formats/format.js'
import { cleanDeep } from '../page/clean.js'
import { createFigureBook, type FigureBook } from '../page/figures.js'
import { axisOf, drawAxis, drawInterval } from '../page/drawings/interval.js'
import { renderPage, tableView, type ReportAssets } from '../page/page.js'
import { sketchPath } from '../page/drawings/path-sketch.js'
import type { Picture } from '../page/sections/picture.js'
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
  const differences = (rows: typeof result.differences = []) =>
    tableView({
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
        mainCount: main?.length ?? 0,
        others: differences(others),
        othersText: plural(others?.length ?? 0, 'more difference'),
        othersCount: others?.length ?? 0,
        pictures: picturesOf(result.figures, createView(first), book),
        loads: loadsOf(result.figures).map(({ text, figures }) => ({
          text,
          table: tableView({
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
          }),
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
    const columns = metrics.map((metric) => {
      const own = here.filter(({ comparison }) => metricText(comparison) === metric)
      const practical = own[0]?.practical ?? 0
      const axis = axisOf(
        own.map(({ change }) => change),
        1,
        { means: 'too little to matter', low: 1 - practical, high: 1 + practical },
      )
      return { metric, own, axis, practical }
    })
    const arms = [...new Set(here.map(({ comparison }) => comparison.arm))].map((id) => view.arm(id))
    if (arms.length === 0) return []
    return [
      {
        id: `picture-${index}`,
        caption: `${text}: the second run’s ratio to the baseline as a ratio to the first’s. Dots are estimates, lines 95 % intervals; what lies between the dashed lines is too little to matter`,
        lastTitle: '',
        columns: columns.map(({ metric, axis, practical }) => ({
          title: `${metric} (±${given(practical * 100)} % is the same)`,
          brief: metric,
          ticks: drawAxis(axis),
        })),
        rows: arms.map((arm) => ({
          key: arm.key,
          label: arm.label,
          colour: arm.colour,
          sketch: sketchPath(arm.path, arm.colour),
          kind: 'subject' as const,
          cells: columns.map(({ own, axis }) => {
            const found = own.find(({ comparison }) => comparison.arm === arm.id)
            return {
              drawing: found ? drawInterval(found.change, axis, arm) : '',
              html: book.print(found?.change, {
                metric: found?.comparison.metric ?? 'none',
                percentile: found?.comparison.percentile,
                kind: 'ratio',
              }),
              ...(found ? { chip: { kind: found.state, text: found.state } } : {}),
            }
          }),
          last: '',
        })),
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
