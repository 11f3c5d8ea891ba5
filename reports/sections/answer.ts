/** The first screen: what was found, in sentences with intervals, and whether it can be believed. */
import { upperBound } from '../../harness/analyze/words.js'
import type {
  Comparison,
  Estimate,
  NoiseFloor,
  Threshold,
  ThresholdVerdict,
  Verdict,
} from '../../harness/model.js'
import { escapeHtml } from '../clean.js'
import type { FigureBook } from '../figures.js'
import { dateTime, estimateText, fixed, given, loadText, thin, number, plural, thousand } from '../format.js'
import { cpuMetrics, excludesZero, latencyMetrics, type Added, type ArmView, type View } from '../view.js'

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

interface Trust {
  readonly ok: boolean
  /** A few words, for the line under the headline. */
  readonly brief: string
  readonly name: string
  readonly html: string
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
    `${metricWords[metric]}${percentile === undefined ? '' : ` at p${percentile}`} of ${view.arm(arm).label}`,
    ...(relativeTo === undefined ? [] : [`as a ratio to ${view.arm(relativeTo).label}`]),
    ...(load === undefined ? [] : [`${load.experiment}: ${load.text}`]),
  ].join(', ')
}

const metricWords: Readonly<Record<Threshold['metric'], string>> = {
  'latency.response': 'Response time',
  'latency.service': 'Service time',
  'latency.added': 'Added response time',
  throughput: 'Throughput',
  'cpu.per1000Requests': `CPU per ${thousand} requests`,
  'cpu.added': `Added CPU per ${thousand} requests`,
  'memory.rss': 'Memory of the hops',
  'memory.added': 'Added memory',
  'errors.share': 'Share of errors',
  'connect.time': 'Time to connect',
  'connect.firstByte': 'Time to the first byte on a new connection',
  'stream.throughput': 'Throughput of long transfers',
  'cpu.perGib': 'CPU per GiB of long transfers',
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
      const found = view.compare(arm.id, ['throughput', 'stream.throughput'])
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
      const cpu = view.compare(arm.id, ['cpu.per1000Requests', 'cpu.added'], { versus: rival.id })
      const time = view.compare(arm.id, ['latency.response', 'latency.service', 'latency.added'], {
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

function trust(view: View, book: FigureBook): Answer['trust'] {
  const { analysis } = view
  const list: Trust[] = []
  list.push(sameTwice(view, book))
  const count = (state: string) => analysis.trials.filter((trial) => trial.state === state).length
  const [invalid, failed] = [count('invalid'), count('failed')]
  list.push({
    ok: invalid + failed === 0,
    brief:
      invalid + failed === 0
        ? `all ${plural(count('ok'), 'trial')} valid`
        : `${fixed(invalid + failed, 0)} of ${plural(analysis.trials.length, 'trial')} not valid`,
    name: 'Trials',
    html: `${plural(count('ok'), 'valid trial')}, ${fixed(invalid, 0)} invalid, ${fixed(failed, 0)} failed${invalid + failed > 0 ? ' (<a href="#not-valid">listed with reasons</a>)' : ''}.`,
  })
  list.push(generator(view))
  const checks = Object.values(analysis.proofs).flat()
  const broken = checks.filter((check) => !check.ok).length
  list.push({
    ok: broken === 0 && checks.length > 0,
    brief: broken === 0 && checks.length > 0 ? 'path proved' : 'path not proved',
    name: 'Proof of path',
    html:
      checks.length === 0
        ? 'No check of the path was recorded.'
        : `${plural(checks.length - broken, 'check')} of the path hold, ${fixed(broken, 0)} do not.`,
  })
  return list
}

/** The A/A comparison: what was measured twice under two names, and whether it differs from itself. */
function sameTwice(view: View, book: FigureBook): Trust {
  const { noise } = view.analysis
  const differing = noise.filter(({ differs }) => differs)
  const knees = kneesOfTwins(view)
  const apart = knees.filter((one) => one.apart)
  if (noise.length === 0 && knees.length === 0) {
    const twins = new Set(view.arms.filter(({ arm }) => arm.role === 'twin').map(({ id }) => id))
    const twice = view.analysis.trials.some(({ arm, state }) => state === 'ok' && twins.has(arm))
    const html = twice
      ? 'What was measured of the baseline and its twin does not tell how far they lie apart: the noise floor is unknown.'
      : 'The baseline was not measured twice: the noise floor is unknown.'
    return { ok: false, brief: 'no A/A', name: 'A/A', html }
  }
  const leading = noise.filter(
    ({ experiment, loadLabel }) => experiment === view.lead?.experiment && loadLabel === view.lead.loadLabel,
  )
  const quiet = leading.length > 0 ? leading : noise
  const floors =
    differing.length > 0
      ? `${differing.map((floor) => floorHtml(floor, disagreeing(floor), view, book)).join('; ')}: a difference where there is none.`
      : `${quiet.map((floor) => floorHtml(floor, ['p50'], view, book)).join('; ')}: no difference.`
  const shown = apart.length > 0 ? apart : noise.length === 0 ? knees : []
  return {
    ok: differing.length + apart.length === 0,
    brief:
      differing.length > 0
        ? 'A/A differs'
        : apart.length > 0
          ? 'A/A differs in capacity'
          : 'A/A: no difference',
    name: 'A/A',
    html: [
      ...(noise.length === 0 ? [] : [`Two measurements of the baseline differ by ${floors}`]),
      ...shown.map(
        ({ own, twin }) =>
          `Two searches for the baseline’s largest rate found ${book.print(own, { metric: 'throughput', kind: 'value' }, 'sentence')} and ${book.print(twin, { metric: 'throughput', kind: 'value' }, 'sentence')}: ${apart.length > 0 ? 'do not compare capacities by this run' : 'no difference'}.`,
      ),
    ].join(' '),
  }
}

type FloorFigure = 'p50' | 'p99' | 'CPU'

/** Figures whose own interval excludes zero; the verdict is over all of them. */
function disagreeing(floor: NoiseFloor): readonly FloorFigure[] {
  const all = (['p50', 'p99', 'CPU'] as const).filter((name) => estimateOf(floor, name) !== undefined)
  const apart = all.filter((name) => {
    const estimate = estimateOf(floor, name)
    return estimate !== undefined && excludesZero(estimate)
  })
  return apart.length > 0 ? apart : all
}

function estimateOf({ latencyP50, latencyP99, cpu }: NoiseFloor, name: FloorFigure): Estimate | undefined {
  return { p50: latencyP50, p99: latencyP99, CPU: cpu }[name]
}

const floorWords: Readonly<Record<FloorFigure, string>> = {
  p50: 'at the median',
  p99: 'at p99',
  CPU: `of CPU per ${thousand} requests`,
}

/** `+0.05 ms (0.01 to 0.09) at p99 (sweep, 500/s)`: where it was is said when it is not what the answer speaks of. */
function floorHtml(floor: NoiseFloor, names: readonly FloorFigure[], view: View, book: FigureBook): string {
  const isLead = floor.experiment === view.lead?.experiment && floor.loadLabel === view.lead.loadLabel
  const where = [
    ...(isLead ? [] : [floor.experiment, floor.loadLabel]),
    ...(view.environments.length > 1 ? [floor.environment] : []),
  ]
  const figures = names.map(
    (name) =>
      `${book.print(estimateOf(floor, name), { metric: `noise.${name}`, kind: 'difference' }, 'sentence', true)} ${floorWords[name]}`,
  )
  return figures.join(', ') + (where.length === 0 ? '' : ` (${escapeHtml(where.join(', '))})`)
}

/** Knees of each baseline and its twin; none where what is known of them does not tell whether they lie apart. */
function kneesOfTwins(
  view: View,
): { readonly own: Estimate; readonly twin: Estimate; readonly apart: boolean }[] {
  return view.loads.flatMap((load) =>
    view.arms.flatMap(({ id, arm }) => {
      const [twin, own] = [view.cell(id, load), view.cell(arm.baseline, load)]
      if (arm.role !== 'twin' || !twin?.knee || !own?.knee) return []
      const [a, b] = [own.throughput, twin.throughput]
      const apart = a.low > upperBound(b) || b.low > upperBound(a)
      if (a.n === 0 || b.n === 0 || (!apart && (a.beyond || b.beyond))) return []
      return [{ own: a, twin: b, apart }]
    }),
  )
}

function generator(view: View): Trust {
  const { validity } = view.analysis.config
  // Whether the generator was the limit of a search is told with the knees.
  const valid = view.analysis.trials.filter((trial) => trial.state === 'ok' && view.paced(trial))
  if (valid.length === 0 && view.analysis.trials.some((trial) => trial.state === 'ok'))
    return {
      ok: true,
      brief: 'no rate to keep',
      name: 'Generator',
      html: 'No load had a rate to keep: a closed loop and a search for the largest rate use all that they can.',
    }
  const lags = valid.flatMap((trial) => (trial.sendLagP99Us === undefined ? [] : [trial.sendLagP99Us]))
  const shares = valid.flatMap((trial) =>
    trial.generatorCpuShare === undefined ? [] : [trial.generatorCpuShare],
  )
  if (lags.length === 0 && shares.length === 0)
    return {
      ok: false,
      brief: 'generator unknown',
      name: 'Generator',
      html: 'The generator reported neither lag nor CPU.',
    }
  const [lag, share] = [maximum(lags), maximum(shares)]
  const ok = lag <= validity.maxSendLagP99Us && share <= validity.maxGeneratorCpuShare
  return {
    ok,
    brief: ok ? 'generator had headroom' : 'generator beyond its limits',
    name: 'Generator',
    html:
      [
        ...(lags.length > 0
          ? [
              `In valid trials it sends at most ${number(lag / 1000)}${thin}ms late (p99; limit ${given(validity.maxSendLagP99Us / 1000)}${thin}ms)`,
            ]
          : []),
        ...(shares.length > 0
          ? [
              `uses at most ${fixed(share * 100, 0)}${thin}% of a core per worker (limit ${fixed(validity.maxGeneratorCpuShare * 100, 0)}${thin}%)`,
            ]
          : []),
      ].join(' and ') + '.',
  }
}

/** `Math.max` over long lists without spreading them onto the stack. */
function maximum(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
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
      book.print(cell?.hopMemory, { metric: 'memory.rss', kind: 'value' }),
    ],
  }
}

/** An arm's name with its colour, for highlighting. */
export function armHtml(arm: ArmView): string {
  return `<span class="arm" data-arm="${arm.key}" style="--c:${arm.colour}">${escapeHtml(arm.label)}</span>`
}
