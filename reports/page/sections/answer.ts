/** The first screen: what was found, in sentences with intervals, and whether it can be believed. */
import * as metrics from '../../../scenarios/metrics.js'
import { metricTitle } from '../../../scenarios/registry.js'
import type { Comparison, Estimate, ThresholdVerdict, Verdict } from '../../../harness/model.js'
import { escapeHtml } from '../clean.js'
import type { FigureBook } from '../figures.js'
import {
  dateTime,
  estimateText,
  given,
  loadText,
  thin,
  number,
  plural,
  thousand,
} from '../../formats/format.js'
import { cpuMetrics, excludesZero, latencyMetrics, type Added, type ArmView, type View } from '../view.js'
import { trust, type Trust } from './trust.js'

export interface Chip {
  /** `better`, `worse`, `inconclusive`, `supported`, … : style and glyph follow it, the text says it. */
  readonly kind: string
  readonly text: string
}

export interface Answer {
  readonly headline: string
  /** The same with labels that do not break. */
  readonly headlineHtml: string
  /** Host, date and load, since absolute figures do not travel. */
  readonly dateline: string
  readonly banners: readonly string[]
  readonly questions: readonly { readonly question: string; readonly html: string; readonly chip?: Chip }[]
  readonly trust: readonly Trust[]
  readonly rows: readonly AnswerRow[]
  readonly tableCaption: string
  readonly columns: readonly string[]
  readonly thresholds: readonly {
    readonly chip: Chip
    readonly subject: string
    readonly expected: string
    readonly actual: string
  }[]
}

interface AnswerRow {
  readonly key: string
  readonly label: string
  readonly colour: string
  readonly twin: boolean
  readonly cells: readonly string[]
}

const partial: Partial<Record<string, string>> = {
  interrupted: 'This run was interrupted: the figures rest on the rounds that were finished.',
  failed: 'This run failed before its end: the figures rest on what was measured until then.',
  unfinished:
    'This run has no end in its journal: it was cut off, and the figures rest on what was written until then.',
}

/** Most arms that one sentence can name and still be read. */
const mostNamed = 6

export function buildAnswer(view: View, book: FigureBook): Answer {
  const { analysis, lead } = view
  return {
    headline: headline(view, (arm, after) => arm.label + after),
    headlineHtml: headline(view, (arm, after) => `<span class="nb">${escapeHtml(arm.label + after)}</span>`),
    dateline: [
      lead === undefined ? 'no load was measured' : `At ${loadText(lead.load)}`,
      plural(view.rounds, 'round'),
      `${analysis.host.cpuModel}, ${plural(analysis.host.cpus, 'CPU')}`,
      dateTime(analysis.startedAt),
    ].join(' · '),
    banners: banners(view),
    questions: questions(view, book),
    trust: trust(view, book),
    rows: [...view.subjects, ...view.arms.filter((arm) => arm.arm.role === 'twin')].map((arm) =>
      row(arm, view, book),
    ),
    tableCaption: 'Differences to the baseline, with 95 % intervals',
    columns: [
      'added p50, ms',
      'added p99, ms',
      `added CPU, ms per ${thousand} requests`,
      'memory of the hops, MiB',
    ],
    thresholds: analysis.thresholds.map((verdict) => ({
      chip: { kind: verdict.state, text: verdict.state },
      subject: thresholdSubject(verdict, view),
      expected: verdict.expected,
      actual: book.print(
        verdict.actual,
        { metric: verdict.threshold.metric, kind: thresholdKind(verdict) },
        'sentence',
      ),
    })),
  }
}

function thresholdKind(verdict: ThresholdVerdict): 'ratio' | 'value' {
  return verdict.threshold.relativeTo === undefined ? 'value' : 'ratio'
}

/** `CPU per 1 000 requests of L4-L7-L4, as a ratio to L7-L7, at 1 000 requests/s, …`. */
function thresholdSubject({ threshold, actual }: ThresholdVerdict, view: View): string {
  const { metric, percentile, arm, relativeTo } = threshold
  const cell = view.analysis.cells.find((one) => one.cell === actual?.cells[0])
  const load = view.loads.find(
    (one) => one.experiment === cell?.experiment && one.loadLabel === cell.loadLabel,
  )
  return [
    `${metricTitle(metric, percentile)} of ${view.arm(arm).label}`,
    ...(relativeTo === undefined ? [] : [`as a ratio to ${view.arm(relativeTo).label}`]),
    ...(load === undefined ? [] : [`${load.experiment}: ${load.text}`]),
  ].join(', ')
}

/** `name` writes an arm's label and the mark after it, which must not go to the next line alone. */
function headline(view: View, name: (arm: ArmView, after: string) => string): string {
  const measured = view.subjects.flatMap((arm) => {
    const found = view.compare(arm.id, latencyMetrics, { percentile: 50 })
    return found === undefined ? [] : [{ arm, difference: found.difference }]
  })
  const sorted = measured.sort((a, b) => a.difference.value - b.difference.value)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined) return throughputHeadline(view, name)
  const price = (estimate: Estimate) =>
    excludesZero(estimate) ? `${estimateText(estimate).value}${thin}ms` : 'no measurable time'
  if (least === most) return `${name(most.arm, '')} adds ${price(most.difference)} to a median request`
  return `A median request pays ${price(least.difference)} for ${name(least.arm, ',')} ${price(most.difference)} for ${name(most.arm, '')}`
}

/** Of loads that have no rate to keep, and so no latency to compare: what they carry. */
function throughputHeadline(view: View, name: (arm: ArmView, after: string) => string): string {
  const sorted = view.subjects
    .flatMap((arm) => {
      const found = view.compare(arm.id, [metrics.throughput, metrics.transferRate])
      return found === undefined ? [] : [{ arm, ratio: found.ratio }]
    })
    .sort((a, b) => a.ratio.value - b.ratio.value)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined) return 'This run has no comparison to report'
  const text = ({ ratio }: typeof least) =>
    ratio.low <= 1 && ratio.high >= 1 ? 'no measurable difference' : `${estimateText(ratio).value} times`
  const parts = [least, ...(least === most ? [] : [most])].map((one) => `${name(one.arm, ':')} ${text(one)}`)
  return `Throughput against a direct connection. ${parts.join('; ')}`
}

function banners(view: View): string[] {
  const { analysis } = view
  const list: string[] = []
  const cut = partial[analysis.outcome]
  if (cut !== undefined) {
    list.push(
      `Partial run. ${cut} ${analysis.rounds.done} of ${analysis.rounds.planned} rounds are complete.`,
    )
  }
  if (analysis.noise.some((one) => one.differs)) {
    list.push(
      'The baseline measured twice differs from itself: something but the paths influenced this run, and its intervals are too narrow.',
    )
  }
  for (const { arm, knee, throughput } of analysis.cells) {
    if (knee && throughput.beyond === 'below')
      list.push(
        `${view.arm(arm).label} kept its p${knee.search.percentile} under ${given(knee.search.latencyMs)} ms at no rate that was tried, down to ${number(throughput.value)} requests/s.`,
      )
  }
  for (const [arm, error] of Object.entries(analysis.failures)) {
    list.push(`${view.arm(arm).label} did not come up: ${error.message}`)
  }
  return list
}

function questions(view: View, book: FigureBook): Answer['questions'] {
  const list: { question: string; html: string; chip?: Chip }[] = []
  const time = named(
    view,
    book,
    (arm) => view.compare(arm.id, latencyMetrics, { percentile: 50 }),
    'sentence',
  )
  if (time !== '')
    list.push({ question: 'What does each path add to a request?', html: `At the median, ${time}.` })
  const cpu = named(view, book, (arm) => view.compare(arm.id, cpuMetrics), 'sentence')
  if (cpu !== '') {
    list.push({
      question: 'What does it cost in CPU?',
      html: `Per ${thousand} requests, on top of a direct call, ${cpu}.`,
    })
  }
  list.push(...headToHead(view, book))
  for (const claim of view.analysis.claims.filter(({ id }) => ['C2', 'C3'].includes(id))) {
    if (claim.verdict === 'no data') continue
    list.push({
      question: claim.claim,
      html:
        escapeHtml(claim.sentence) +
        (claim.verdict === 'inconclusive'
          ? escapeHtml(claim.next === undefined ? '' : ` What would decide it: ${claim.next}.`)
          : ''),
      chip: { kind: claim.verdict, text: claim.verdict },
    })
  }
  return list
}

function named(
  view: View,
  book: FigureBook,
  pick: (arm: ArmView) => Comparison | undefined,
  style: 'sentence',
): string {
  const found = view.subjects
    .flatMap((arm) => {
      const comparison = pick(arm)
      return comparison === undefined ? [] : [{ arm, comparison }]
    })
    .sort((a, b) => a.comparison.difference.value - b.comparison.difference.value)
  const shown = found.length <= mostNamed ? found : [...found.slice(0, 2), ...found.slice(-2)]
  const parts = shown.map(({ arm, comparison }, index) => {
    const { metric, percentile, difference } = comparison
    const figure = book.print(difference, { metric, percentile, kind: 'difference' }, style)
    return `${armHtml(arm)} ${index === 0 ? 'added ' : ''}${figure}`
  })
  const text =
    parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1) ?? ''}`
  return found.length > shown.length ? `${text} (the two least and the two most of ${found.length})` : text
}

/** L4-L7-L4 against L7-L7 of each mesh: the choice that a platform team has to make. */
function headToHead(view: View, book: FigureBook): Answer['questions'] {
  return view.subjects
    .filter((arm) => arm.arm.path === 'l4-l7-l4')
    .flatMap((arm): Answer['questions'][number][] => {
      const rival = view.subjects.find(
        (other) =>
          other.arm.path === 'l7-sidecar-to-sidecar' &&
          other.arm.mesh === arm.arm.mesh &&
          other.arm.variant === arm.arm.variant,
      )
      if (rival === undefined) return []
      const cpu = view.compare(arm.id, [metrics.cpu, metrics.addedCpu], { versus: rival.id })
      const time = view.compare(arm.id, [metrics.responseTime, metrics.serviceTime, metrics.addedTime], {
        versus: rival.id,
        percentile: 50,
      })
      const parts = [
        ...(cpu === undefined
          ? []
          : [
              `used ${book.print(cpu.ratio, { metric: cpu.metric, kind: 'ratio' }, 'change').replace(/(more|less)/, '$1 CPU')}`,
            ]),
        ...(time === undefined
          ? []
          : [
              `${excludesZero(time.difference) ? 'was' : 'differed by'} ${book.print(time.difference, { metric: time.metric, percentile: 50, kind: 'difference' }, 'slower')} at the median`,
            ]),
      ]
      if (parts.length === 0) return []
      const verdict = (cpu ?? time)?.verdict ?? 'inconclusive'
      const claim = view.analysis.claims.find(({ id }) => id === 'C1')
      const next =
        verdict === 'inconclusive' && claim?.next !== undefined
          ? ` What would decide it: ${escapeHtml(claim.next)}.`
          : ''
      return [
        {
          question: `With L7 in the path, is ${arm.label} cheaper than ${rival.label}?`,
          html: `${armHtml(arm)} ${parts.join(' and ')}, against ${armHtml(rival)}.${next}`,
          chip: { kind: verdict, text: verdictText(verdict) },
        },
      ]
    })
}

function verdictText(verdict: Verdict): string {
  return verdict === 'better' ? 'cheaper' : verdict === 'worse' ? 'dearer' : 'inconclusive'
}

function row(arm: ArmView, view: View, book: FigureBook): AnswerRow {
  const time = (percentile: number) => view.added(arm.id, 'latency', { percentile })
  const cell = view.cell(arm.id)
  const print = (found: Added | undefined) =>
    found === undefined
      ? book.print(undefined, { metric: 'none', kind: 'value' })
      : book.print(
          found.estimate,
          { metric: found.metric, percentile: found.percentile, kind: 'difference' },
          'cell',
          true,
        )
  return {
    key: arm.key,
    label: arm.label,
    colour: arm.colour,
    twin: arm.arm.role === 'twin',
    cells: [
      print(time(50)),
      print(time(99)),
      print(view.added(arm.id, 'cpu')),
      book.print(cell?.hopMemory, { metric: metrics.memory.id, kind: 'value' }),
    ],
  }
}

/** An arm's name with its colour, for highlighting. */
export function armHtml(arm: ArmView): string {
  return `<span class="arm" data-arm="${arm.key}" style="--c:${arm.colour}">${escapeHtml(arm.label)}</span>`
}
