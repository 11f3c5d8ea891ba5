/** Whether the run can be believed: A/A, trials, generator, proof of path. */
import * as metrics from '../../../scenarios/metrics.js'
import { fewestFirm } from '../../../harness/analyze/estimates.js'
import { kneesApart } from '../../../harness/analyze/cells/knees.js'
import { notMeasured } from '../../../harness/analyze/standings.js'
import type { Analysis, Estimate, NoiseFloor, TrialSummary } from '../../../harness/model.js'
import { escapeHtml } from '../clean.js'
import type { FigureBook } from '../figures.js'
import { fixed, given, thin, number, plural, thousand } from '../../formats/format.js'
import { excludesZero, isUnder, type View } from '../view.js'

export interface Trust {
  readonly ok: boolean
  /** A few words, for the line under the headline. */
  readonly brief: string
  readonly name: string
  readonly html: string
}

export function trust(view: View, book: FigureBook): readonly Trust[] {
  const { analysis } = view
  return [sameTwice(view, book), ...armsMeasured(view), validTrials(view), generator(view), proof(analysis)]
}

function proof({ proofs }: Analysis): Trust {
  const name = 'Proof of path'
  const checks = Object.values(proofs).flat()
  if (checks.length === 0)
    return { ok: false, brief: 'paths not checked', name, html: 'No check of the path was recorded.' }
  const broken = checks.filter((check) => !check.ok).length
  return {
    ok: broken === 0,
    brief: broken === 0 ? 'paths proved by counters' : 'paths not proved',
    name,
    html: `${plural(checks.length - broken, 'check')} of the path hold, ${fixed(broken, 0)} do not.`,
  }
}

/** Told only where an arm that was asked for has no figure at all. */
function armsMeasured(view: View): Trust[] {
  const missing = notMeasured(view.analysis)
  const names = missing.map(({ arm }) => escapeHtml(view.arm(arm).label))
  return missing.length === 0
    ? []
    : [
        {
          ok: false,
          brief: `${missing.length} of ${plural(view.subjects.length, 'arm')} not measured`,
          name: 'Arms',
          html: `Nothing is known of ${names.join(', ')}.`,
        },
      ]
}

/** More trials than this share of all had to be repeated: what disturbed them may be in the others, too. */
const mostRepeated = 0.1

/** A trial that was repeated leaves no gap in its round; one that was not does. Arms without any are told apart. */
function validTrials(view: View): Trust {
  const { trials } = view.analysis
  const missing = new Set(notMeasured(view.analysis).map(({ arm }) => arm))
  const place = ({ cell, round }: TrialSummary) => `${round}|${cell}`
  const valid = trials.filter(({ state }) => state === 'ok')
  const bad = trials.filter(({ arm, state }) => state !== 'ok' && !missing.has(arm))
  const cells = new Set(bad.map(({ cell }) => cell))
  const settled = new Set(valid.filter(({ cell }) => cells.has(cell)).map(place))
  const lost = new Set(bad.map(place).filter((at) => !settled.has(at))).size
  const repeated = bad.filter((trial) => settled.has(place(trial))).length
  const count = (state: string) => trials.filter((trial) => trial.state === state).length
  const listed = trials.length > valid.length ? ' (<a href="#not-valid">listed with reasons</a>)' : ''
  return {
    ok: valid.length > 0 && lost === 0 && repeated <= trials.length * mostRepeated,
    brief:
      lost > 0 || valid.length === 0
        ? `${fixed(trials.length - valid.length, 0)} of ${plural(trials.length, 'trial')} not valid`
        : repeated > 0
          ? `no round has a gap, ${fixed(repeated, 0)} of ${plural(trials.length, 'trial')} repeated`
          : `all ${plural(valid.length, 'trial')} valid`,
    name: 'Trials',
    html: `${plural(valid.length, 'valid trial')}, ${fixed(count('invalid'), 0)} invalid, ${fixed(count('failed'), 0)} failed${listed}.${valid.length === 0 ? '' : gaps(lost, repeated)}`,
  }
}

/** What repeating made of the trials that were not valid. */
function gaps(lost: number, repeated: number): string {
  if (lost > 0)
    return ` ${plural(lost, 'trial')} stayed without a valid repetition: comparisons of that arm do without the round.`
  return repeated > 0 ? ' What was not valid was repeated, so that no round has a gap.' : ''
}

/** `Yes`, `With care` or `No`, for the line under the picture. */
export function trustWord(view: View, items: readonly Trust[]): string {
  if (!view.analysis.trials.some(({ state }) => state === 'ok')) return 'No'
  return items.every(({ ok }) => ok) ? 'Yes' : 'With care'
}

/** Half of an interval, in its unit: what the A/A comparison could have missed. */
function within({ low, high, unit }: Estimate): string {
  const most = Math.max(Math.abs(low), Math.abs(high))
  // Upwards: an end of the interval lies within what is said.
  const step = 10 ** (Math.floor(Math.log10(most)) - 1)
  const rounded =
    most > 0 ? Number((Math.ceil(Number((most / step).toPrecision(10))) * step).toPrecision(2)) : most
  return `${given(rounded)}${thin}${unit}`
}

/** The A/A comparison: what was measured twice under two names, and whether it differs from itself. */
function sameTwice(view: View, book: FigureBook): Trust {
  const { noise } = view.analysis
  const differing = noise.filter(({ differs }) => differs)
  const knees = kneesOfTwins(view)
  const apart = knees.filter((pair) => pair.apart)
  if (noise.length === 0 && knees.length === 0) {
    const twins = new Set(view.arms.filter(({ arm }) => arm.role === 'twin').map(({ id }) => id))
    const twice = view.analysis.trials.some(({ arm, state }) => state === 'ok' && twins.has(arm))
    const tried = view.analysis.trials.filter(({ arm }) => twins.has(arm)).length
    const html =
      tried > 0 && !twice
        ? `The baseline was measured twice, but none of the ${plural(tried, 'trial')} of its twin is valid: the noise floor is unknown.`
        : twice
          ? 'What was measured of the baseline and its twin does not tell how far they lie apart: the noise floor is unknown.'
          : twins.size > 0
            ? 'The twin of the baseline was not reached: the noise floor is unknown.'
            : 'The baseline was not measured twice: the noise floor is unknown.'
    return { ok: false, brief: 'no A/A', name: 'A/A', html }
  }
  const leading = noise.filter(isUnder(view.lead))
  const quiet = leading.length > 0 ? leading : noise
  // Too few rounds see nothing, and find no difference whatever there is.
  const isTold = quiet.every(({ latencyP50 }) => latencyP50.n >= fewestFirm)
  const floors =
    differing.length > 0
      ? `${differing.map((floor) => floorHtml(floor, disagreeing(floor), view, book)).join('; ')}: a difference where there is none.`
      : `${quiet.map((floor) => floorHtml(floor, [floorFigures[0]], view, book)).join('; ')}: ${isTold ? 'no difference' : 'so few rounds do not tell a difference'}.`
  const shown = apart.length > 0 ? apart : noise.length === 0 ? knees : []
  return {
    ok: differing.length + apart.length === 0 && isTold,
    brief:
      differing.length > 0
        ? 'A/A differs'
        : apart.length > 0
          ? 'A/A differs in capacity'
          : isTold
            ? withinText(quiet[0])
            : 'A/A of too few rounds',
    name: 'A/A',
    html: [
      ...(noise.length === 0 ? [] : [`Two measurements of the baseline differ by ${floors}`]),
      ...shown.map(
        ({ own, twin }) =>
          `Two searches for the baseline’s largest rate found ${book.print(own, { metric: metrics.throughput.id, kind: 'value' }, 'sentence')} and ${book.print(twin, { metric: metrics.throughput.id, kind: 'value' }, 'sentence')}: ${apart.length > 0 ? 'do not compare capacities by this run' : 'no difference'}.`,
      ),
    ].join(' '),
  }
}

/** What the two measurements lie within: a claim smaller than that is not made. */
function withinText(floor: NoiseFloor | undefined): string {
  if (floor === undefined) return 'A/A: no difference'
  const cpu = floor.cpu ? [`${within(floor.cpu)} CPU per ${thousand}`] : []
  return `A/A within ${[`${within(floor.latencyP50)} p50`, ...cpu].join(', ')}`
}

const floorFigures = [
  { name: 'p50', words: 'at the median', of: ({ latencyP50 }: NoiseFloor) => latencyP50 },
  { name: 'p99', words: 'at p99', of: ({ latencyP99 }: NoiseFloor) => latencyP99 },
  { name: 'CPU', words: `of CPU per ${thousand} requests`, of: ({ cpu }: NoiseFloor) => cpu },
] as const
type FloorFigure = (typeof floorFigures)[number]

/** Figures whose own interval excludes zero; the verdict is over all of them. */
function disagreeing(floor: NoiseFloor): readonly FloorFigure[] {
  const all = floorFigures.filter(({ of }) => of(floor))
  const apart = all.filter(({ of }) => {
    const estimate = of(floor)
    return estimate && excludesZero(estimate)
  })
  return apart.length > 0 ? apart : all
}

/** `+0.05 ms (0.01 to 0.09) at p99 (sweep, 500/s)`: where it was is said when it is not what the answer speaks of. */
function floorHtml(floor: NoiseFloor, names: readonly FloorFigure[], view: View, book: FigureBook): string {
  const where = [
    ...(isUnder(view.lead)(floor) ? [] : [floor.experiment, floor.loadLabel]),
    ...(view.environments.length > 1 ? [floor.environment] : []),
  ]
  const figures = names.map(
    ({ name, words, of }) =>
      `${book.print(of(floor), { metric: `noise.${name}`, kind: 'difference' }, 'sentence', true)} ${words}`,
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
      const apart = kneesApart(a, b)
      if (a.n === 0 || b.n === 0 || (!apart && (a.beyond || b.beyond))) return []
      return [{ own: a, twin: b, apart }]
    }),
  )
}

function generator(view: View): Trust {
  const { validity } = view.analysis.config
  const told = (ok: boolean, brief: string, html: string): Trust => ({ ok, brief, name: 'Generator', html })
  // Whether the generator was the limit of a search is told with the knees.
  const valid = view.analysis.trials.filter((trial) => trial.state === 'ok' && view.paced(trial))
  if (valid.length === 0 && view.analysis.trials.some((trial) => trial.state === 'ok'))
    return told(
      true,
      'no rate to keep',
      'No load had a rate to keep: a closed loop and a search for the largest rate use all that they can.',
    )
  const lags = valid.flatMap(({ sendLagP99Us }) => sendLagP99Us ?? [])
  const shares = valid.flatMap(({ generatorCpuShare }) => generatorCpuShare ?? [])
  if (valid.length === 0) {
    const tried = view.analysis.trials.length
    const html =
      tried === 0
        ? 'No trial was run.'
        : `None of ${plural(tried, 'trial')} is valid; what the generator did in each stands with its reason (<a href="#not-valid">list</a>).`
    return told(false, 'no valid trial', html)
  }
  if (lags.length === 0 && shares.length === 0)
    return told(false, 'generator unknown', 'The generator reported neither lag nor CPU.')
  const [lag, share] = [maximum(lags), maximum(shares)]
  const ok = lag <= validity.maxSendLagP99Us && share <= validity.maxGeneratorCpuShare
  const lagText = `In valid trials it sends at most ${number(lag / 1000)}${thin}ms late (p99; limit ${given(validity.maxSendLagP99Us / 1000)}${thin}ms)`
  const shareText = `uses at most ${fixed(share * 100, 0)}${thin}% of a core per worker (limit ${fixed(validity.maxGeneratorCpuShare * 100, 0)}${thin}%)`
  const known = [...(lags.length > 0 ? [lagText] : []), ...(shares.length > 0 ? [shareText] : [])]
  const brief = ok ? 'generator had headroom' : 'generator beyond its limits'
  return told(ok, brief, `${known.join(' and ')}.`)
}

/** `Math.max` over long lists without spreading them onto the stack. */
function maximum(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}
