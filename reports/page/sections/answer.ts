/** The first screen: one sentence, one picture, whether it can be believed, and what to do next. */
import { gate, type GateVerdict } from '../../../harness/analyze/gate.js'
import { missingOf, notMeasured, unmeasured, type ArmStanding } from '../../../harness/analyze/standings.js'
import * as metrics from '../../../scenarios/metrics.js'
import type { Estimate } from '../../../harness/model.js'
import { dateTime, estimateText, given, number, plural, thin, thousand } from '../../formats/format.js'
import { escapeHtml } from '../clean.js'
import type { FigureBook } from '../figures.js'
import { alone, listOf, rank, type Ranked, type Ranking } from '../ranking.js'
import type { ArmView, View } from '../view.js'
import { pricedFunctions, type PricedFunction } from './functions.js'
import { nextStep } from './next.js'
import { addedPicture, checkWords, functionPicture, variantPicture } from './picture.js'
import { trust, trustWord } from './trust.js'

const partial: Partial<Record<string, string>> = {
  interrupted: 'This run was interrupted: the figures rest on the rounds that were finished.',
  failed: 'This run failed before its end: the figures rest on what was measured until then.',
  unfinished:
    'This run has no end in its journal: it was cut off, and the figures rest on what was written until then.',
}

export function buildAnswer(view: View, book: FigureBook) {
  const { analysis, lead } = view
  const verdicts = gate(analysis).variants
  const trusted = trust(view, book)
  return {
    headline: headline(view, verdicts, plainWords),
    /** The same with figures that explain themselves and labels that do not break. */
    headlineHtml: headline(view, verdicts, htmlWords(book)),
    /** Host, date and load, since absolute figures do not travel. */
    dateline: [
      lead === undefined ? 'no load was measured' : `At ${lead.text}`,
      plural(view.rounds, 'round'),
      `${analysis.host.cpuModel}, ${plural(analysis.host.cpus, 'CPU')}`,
      dateTime(analysis.startedAt),
    ].join(' · '),
    banners: banners(view),
    /** The one that answers first; runs with variants have what each path adds as a second. */
    pictures: [
      variantPicture(view, book, verdicts) ?? functionPicture(view, book),
      addedPicture(view, book),
    ].filter((picture) => picture !== undefined),
    trust: trusted,
    trustWord: trustWord(view, trusted),
    nextHtml: nextStep(view, verdicts),
  }
}

interface Words {
  arm(arm: ArmView, after?: string): string
  /** With its unit, and its interval where there is room. */
  figure(estimate: Estimate, metric: string, percentile?: number): string
  ratio(estimate: Estimate, metric: string, percentile?: number): string
}

const plainWords: Words = {
  arm: (arm, after = '') => arm.label + after,
  figure(estimate) {
    const { value, unit } = estimateText(estimate)
    return `${value}${thin}${unit}`
  },
  ratio: (estimate) => estimateText(estimate).value,
}

const htmlWords = (book: FigureBook): Words => ({
  arm: (arm, after = '') => `<span class="nb">${escapeHtml(arm.label + after)}</span>`,
  figure: (estimate, metric, percentile) =>
    book.print(estimate, { metric, percentile, kind: 'difference' }, 'sentence'),
  ratio: (estimate, metric, percentile) => book.print(estimate, { metric, percentile, kind: 'ratio' }),
})

function headline(view: View, verdicts: readonly GateVerdict[], words: Words): string {
  const { trials } = view.analysis
  if (trials.length > 0 && trials.every(({ state }) => state !== 'ok'))
    return `Nothing can be said: none of ${plural(trials.length, 'trial')} is valid`
  const found =
    variantHeadline(view, verdicts, words) ??
    functionHeadline(view, words) ??
    (rank(view, 'time') ? undefined : throughputHeadline(view, words)) ??
    costHeadline(view, words)
  if (found !== undefined) return found + withoutWords(view, words)
  return trials.length === 0
    ? 'Nothing was measured: this run has no trial'
    : 'This run has no comparison to report'
}

/** A cheapest among those that were measured is not the cheapest of those that were asked for. */
function withoutWords(view: View, words: Words): string {
  const names = notMeasured(view.analysis).map(({ arm }) => words.arm(view.arm(arm)))
  return names.length === 0
    ? ''
    : `. Not measured: ${names.length > 2 ? plural(names.length, 'arm') : listOf(names)}`
}

/** The gate's verdict: the worst first. */
function variantHeadline(view: View, verdicts: readonly GateVerdict[], words: Words): string | undefined {
  if (verdicts.length === 0) return undefined
  const of = (state: GateVerdict['state']) =>
    verdicts
      .filter((verdict) => verdict.state === state)
      .sort((a, b) => Math.abs(Math.log(b.ratio?.value ?? 1)) - Math.abs(Math.log(a.ratio?.value ?? 1)))
  const say = (verdict: GateVerdict, verb: string) => {
    const { arm, control, check, ratio } = verdict
    return (
      `${words.arm(view.arm(arm))} ${verb} ${words.arm(view.arm(control), ':')} ${checkWords(verdict)} is ` +
      (ratio
        ? `${words.ratio(ratio, check.metric, check.percentile)} times as much`
        : 'beyond what was tried')
    )
  }
  const [worse, better] = [of('worse'), of('better')]
  const others = ([first, second, ...more]: readonly GateVerdict[], word: string) => {
    if (first === undefined || second === undefined) return ''
    const same = first.arm === second.arm && checkWords(first) !== checkWords(second)
    return same && second.ratio && more.length === 0
      ? `, and ${checkWords(second)} ${words.ratio(second.ratio, second.check.metric, second.check.percentile)} times`
      : `; ${more.length + 2} of ${verdicts.length} checks are ${word}`
  }
  const open = of('inconclusive')
  const undecided = ({ arm }: GateVerdict) => {
    const names = [...new Set(open.filter((verdict) => verdict.arm === arm).map(checkWords))]
    return names.length === 0 ? '' : `. Not decided: ${listOf(names)}`
  }
  if (worse[0]) return `${say(worse[0], 'is worse than')}${others(worse, 'worse')}${undecided(worse[0])}`
  if (better[0])
    return `${say(better[0], 'is better than')}${others(better, 'better')}${undecided(better[0])}`
  if (open[0])
    return `Not decided: ${open.length} of ${plural(verdicts.length, 'check')} of the variants ${open.length === 1 ? 'does' : 'do'} not tell; none is worse`
  return `No variant differs by as much as matters, in ${plural(verdicts.length, 'check')}`
}

/** Which function is the dearest, and how many cost anything that can be told. */
function functionHeadline(view: View, words: Words): string | undefined {
  const priced = pricedFunctions(view).filter(({ cpu }) => cpu !== undefined)
  if (priced.length === 0) return undefined
  const told = priced.filter(({ cpu }) => cpu?.verdict === 'worse')
  const price = ({ cpu }: PricedFunction) => (cpu ? words.figure(cpu.difference, cpu.metric) : '')
  const unit = `of CPU per ${thousand} requests`
  const [first, ...others] = told
  if (first === undefined)
    return priced.length === 1
      ? `${priced.map(({ arm }) => words.arm(arm)).join('')} adds no CPU that this run can tell`
      : `None of ${plural(priced.length, 'arm')} with a function more adds CPU that this run can tell`
  const rest = priced.length - told.length
  const also = [
    ...(others.length === 0 ? [] : [`${others.length} more ${others.length === 1 ? 'adds' : 'add'} CPU`]),
    ...(rest === 0 ? [] : [`${rest} ${rest === 1 ? 'adds' : 'add'} none that this run can tell`]),
  ]
  const main =
    others.length === 0
      ? `${words.arm(first.arm)} adds ${price(first)} ${unit}`
      : `By its estimate ${words.arm(first.arm)} is the dearest function, with ${price(first)} ${unit}`
  return [main, ...(also.length === 0 ? [] : [`of the other arms with a function ${also.join(', ')}`])].join(
    '; ',
  )
}

/** Which path is cheapest, as far as the intervals tell. */
function costHeadline(view: View, words: Words): string | undefined {
  const [cpu, time] = [rank(view, 'cpu'), rank(view, 'time')]
  const main = cpu ?? time
  if (main === undefined) return undefined
  const price = (arm: ArmView) => {
    const find = (all: readonly Ranked[] | undefined) => all?.find((ranked) => ranked.arm === arm)
    const [inTime, inCpu] = [find(time?.all), find(cpu?.all)]
    return [
      ...(inTime ? [`${words.figure(inTime.estimate, inTime.metric, 50)} to a median request`] : []),
      ...(inCpu ? [`${words.figure(inCpu.estimate, inCpu.metric)} of CPU per ${thousand} requests`] : []),
    ].join(' and ')
  }
  const only = main.all.length === 1 ? main.all[0] : undefined
  if (only) return `${words.arm(only.arm)} adds ${price(only.arm)}`
  const [byCpu, byTime] = [alone(cpu?.least), alone(time?.least)]
  if (byCpu && (time === undefined || byTime?.arm === byCpu.arm))
    return `${words.arm(byCpu.arm)} is the cheapest path: it adds ${price(byCpu.arm)}${leadWords(cpu, words)}`
  if (byTime && cpu === undefined) return `${words.arm(byTime.arm)} adds the least time: ${price(byTime.arm)}`
  if (byCpu && !byTime && time?.least.some(({ arm }) => arm === byCpu.arm))
    return `${words.arm(byCpu.arm)} adds the least CPU, ${words.figure(byCpu.estimate, byCpu.metric)} per ${thousand} requests${leadWords(cpu, words)}; this run cannot tell which path has the fastest median`
  if (byCpu && byTime)
    return `${words.arm(byCpu.arm)} adds the least CPU, ${words.figure(byCpu.estimate, byCpu.metric)} per ${thousand} requests, and ${words.arm(byTime.arm)} the least time, ${words.figure(byTime.estimate, byTime.metric, 50)}`
  const names = [...new Set([...main.least, ...(time?.least ?? [])].map(({ arm }) => arm))]
  if (names.length === main.all.length)
    return `This run cannot tell which of ${measuredWords(view, names.length)} is cheapest, ${cpu ? 'by CPU' : ''}${cpu && time ? ' or ' : ''}${time ? 'by the median time' : ''}`
  const shown = names.slice(0, 4).map((arm) => words.arm(arm))
  return `${listOf(shown)}${names.length > shown.length ? ` and ${names.length - shown.length} others` : ''} are the cheapest, and this run cannot tell which of them is${bothPrices(names, cpu ?? time, words)}`
}

/** `2 arms that were measured` where there are others. */
function measuredWords({ subjects }: View, count: number): string {
  return subjects.length > count ? `the ${plural(count, 'arm')} that were measured` : plural(count, 'path')
}

/** How far the cheapest is ahead, where it was compared with the next. */
function leadWords(ranking: Ranking | undefined, words: Words): string {
  if (!ranking?.lead || ranking.lead.estimate.low <= 0) return ''
  const { second, estimate } = ranking.lead
  return `, ${words.figure(estimate, second.metric)} less than ${words.arm(second.arm)} in the same rounds`
}

/** What two that are not told apart add. */
function bothPrices(names: readonly ArmView[], ranking: Ranking | undefined, words: Words): string {
  const found = names.flatMap((arm) => ranking?.all.find((ranked) => ranked.arm === arm) ?? [])
  if (found.length !== 2 || names.length !== 2) return ''
  const figures = found.map(({ estimate, metric }) => words.figure(estimate, metric))
  return `: they add ${listOf(figures)}${ranking?.what === 'cpu' ? ` of CPU per ${thousand} requests` : ' to a median request'}`
}

/** Of loads that have no rate to keep, and so no latency to compare: what they carry. */
function throughputHeadline(view: View, words: Words): string | undefined {
  const sorted = view.subjects
    .flatMap((arm) => {
      const found = view.compare(arm.id, [metrics.throughput, metrics.transferRate])
      return found === undefined ? [] : [{ arm, ratio: found.ratio, metric: found.metric }]
    })
    .sort((a, b) => a.ratio.value - b.ratio.value)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined) return undefined
  const text = ({ ratio, metric }: typeof least) =>
    ratio.low <= 1 && ratio.high >= 1 ? 'no measurable difference' : `${words.ratio(ratio, metric)} times`
  const parts = [least, ...(least === most ? [] : [most])].map(
    (carried) => `${words.arm(carried.arm, ':')} ${text(carried)}`,
  )
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
  if (analysis.noise.some(({ differs }) => differs)) {
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
  const missing = unmeasured(analysis)
  for (const [arm, error] of Object.entries(analysis.failures))
    if (!missing.some((standing) => standing.arm === arm))
      list.push(`${view.arm(arm).label} did not come up: ${error.message}`)
  // What has one reason is told once.
  const told = new Map<string, { readonly standing: ArmStanding; readonly names: string[] }>()
  for (const standing of missing) {
    const reason = JSON.stringify(standing.missing)
    const names = told.get(reason)?.names ?? []
    names.push(view.arm(standing.arm).label)
    told.set(reason, { standing, names })
  }
  for (const { standing, names } of told.values())
    list.push(
      ...missingOf(standing, listOf(names))
        .slice(0, 2)
        .map((text) => `${text}.`),
    )
  return list.length > mostBanners
    ? [...list.slice(0, mostBanners), `and ${list.length - mostBanners} more, listed under evidence.`]
    : list
}

const mostBanners = 4
