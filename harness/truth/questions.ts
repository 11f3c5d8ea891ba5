/** The questions that the table asks of each tool, with the tolerances that were fixed beforehand. Pure. */
import type { TruthCell } from '../model/truth.js'
import { defined } from '../model/defined.js'
import type { Attempt } from './attempt.js'
import {
  arrivalsOf,
  countFate,
  latenesses,
  percentileOf,
  rateOf,
  responseTimes,
  serviceTimes,
} from './log.js'
import type { ScenarioName } from './scenarios.js'
import type { Subject } from './subject.js'
import { latencyPercentile, middleWithError, reportedTotal, stepOf } from './figures.js'

/** Every run of one tool, by scenario. */
export type Attempts = Readonly<Record<ScenarioName, readonly Attempt[]>>

type Able = Pick<Subject, 'takesRate' | 'canBeFresh'>

export interface Question {
  readonly title: string
  readonly unit: string
  /** When the answer counts as right. */
  readonly rule: string
  /** Scenarios that have to have gone well for an answer. */
  readonly from: readonly ScenarioName[]
  /** How tools compare: by whether they are right, or not at all; absent: by how far a value lies from the truth. */
  readonly compare?: 'verdict' | 'never'
  judge(runs: Attempts, tool: Able): TruthCell
}

const rateWithin = 0.01
const latencyWithin = 0.05
const leastWithinUs = 30
const burstsWithin = 0.01
const addsAtMostUs = 100
const lateAtMostUs = 1000
const stepAtMostUs = 10

const cannot = (text: string): TruthCell => ({ verdict: 'cannot', text })
const noRate = cannot('takes no rate')

/**
 * Values of all repeats beside what was true in each, judged by how far they may be apart: both as medians, with half of the
 * 95 % interval of what lies between them.
 */
function measured(
  values: readonly number[],
  truths: number | readonly number[],
  within: number | ((truth: number) => number),
  show: (value: number) => string = us,
  step = 0,
): TruthCell {
  const trueOf = typeof truths === 'number' ? values.map(() => truths) : truths
  const [value, truth] = [medianOf(values), medianOf(trueOf)]
  const { error: spreadOf } = middleWithError(
    values.map((each, index) => each - (trueOf[index] ?? Number.NaN)),
  )
  // Values that are the same in every repeat are known no better than the step in which they are told.
  const error = spreadOf === undefined ? undefined : Math.max(spreadOf, step)
  if (Number.isNaN(value)) return { ...cannot('not in the output that is read'), truth: round(truth) }
  const spread = error === undefined ? '' : ` ±${show(error)}`
  const distance = Math.abs(value - truth)
  const known = error ?? 0
  const allowed = typeof within === 'number' ? within : within(truth)
  return {
    verdict: distance + known <= allowed ? 'right' : distance - known > allowed ? 'off' : 'undecided',
    text: `${show(value)}${spread}${truth === 0 ? '' : ` (${show(truth)})`}`,
    value: round(value),
    truth: round(truth),
    ...defined({ error: error === undefined ? undefined : round(error) }),
  }
}

const round = (value: number) => Number(value.toPrecision(4))
const us = (value: number) =>
  Math.abs(value) >= 1000
    ? `${(value / 1000).toFixed(Math.abs(value) >= 100_000 ? 0 : Math.abs(value) >= 10_000 ? 1 : 2)} ms`
    : `${value.toFixed(0)} µs`
const medianOf = (values: readonly number[]) => percentileOf(values, 50)
const p50 = (run: Attempt) => latencyPercentile(run, 50)

/** A rise of the median between no fault and a delay, in pairs of the same repeat. */
function rise(scenario: 'delay-200us' | 'delay-1ms' | 'delay-5ms', delay: string): Question {
  return {
    title: `a reply ${delay} later: rise of p50`,
    unit: 'µs',
    rule: `within 5 % of what the server did, or ${leastWithinUs} µs`,
    from: ['plain', scenario],
    judge(runs) {
      const pairs = runs.plain.flatMap((plain, index) => {
        const late = runs[scenario][index]
        return late ? [{ plain, late }] : []
      })
      return measured(
        pairs.map(({ plain, late }) => p50(late) - p50(plain)),
        pairs.map(({ plain, late }) => medianOf(serviceTimes(late.log)) - medianOf(serviceTimes(plain.log))),
        (truth) => Math.max(truth * latencyWithin, leastWithinUs),
        us,
        stepOf([...runs.plain, ...runs[scenario]]),
      )
    },
  }
}

/** Replies that are as they should be, only of a rarer kind: all are counted, none is an error. */
function answers(scenario: ScenarioName, title: string): Question {
  return {
    title,
    unit: 'requests',
    rule: 'none is an error, and all are counted but what was in flight',
    from: [],
    compare: 'verdict',
    judge(runs) {
      const [run] = runs[scenario]
      if (!run) return { verdict: 'failed', text: 'not run' }
      if (!run.report) return { verdict: 'failed', text: run.failure ?? '' }
      const seen = run.log.requests.length
      const { ok, errors } = run.report
      const failed = Object.entries(errors).map(([kind, count]) => `${count} ${kind}`)
      if (seen === 0) return { verdict: 'failed', text: 'sent nothing' }
      const uncounted = seen - reportedTotal(run.report)
      const inFlight = Math.max(run.log.cutOff, countFate(run.log, 'lost'))
      const right = failed.length === 0 && uncounted >= 0 && uncounted <= inFlight + 8 && ok > 0
      const text =
        failed.length > 0 ? `errors: ${failed.join(', ')}` : uncounted === 0 ? 'all' : `${ok} of ${seen}`
      return { verdict: right ? 'right' : 'off', text, value: ok, truth: seen }
    },
  }
}

/** Injected failures: how many of them the tool tells. */
function failures(
  scenario: 'errors' | 'reset',
  fate: 'error' | 'reset',
  kinds: readonly string[],
  title: string,
): Question {
  return {
    title,
    unit: 'errors',
    rule: 'as many as were injected, by a kind of their own',
    from: [scenario],
    compare: 'verdict',
    judge(runs) {
      const [run] = runs[scenario]
      if (!run?.report) return { verdict: 'failed', text: run?.failure ?? 'not run' }
      const injected = countFate(run.log, fate)
      const told = Object.entries(run.report.errors)
      const total = told.reduce((sum, [, count]) => sum + count, 0)
      const named = told.reduce((sum, [kind, count]) => sum + (kinds.includes(kind) ? count : 0), 0)
      const figures = { value: total, truth: injected }
      if (total === 0) return { verdict: 'hidden', text: `none of ${injected}`, ...figures }
      // What was in flight at the end may have failed without being counted.
      const right = named === total && Math.abs(injected - total) <= 1
      return {
        verdict: right ? 'right' : 'off',
        text: `${told.map(([kind, count]) => `${count} ${kind}`).join(', ')} (${injected})`,
        ...figures,
      }
    },
  }
}

export const questions = {
  rate: {
    title: 'sends at the rate that it is asked for (500/s, 1 000/s)',
    unit: '% of asked',
    rule: 'seen by the server within 1 %',
    from: ['plain', 'slow'],
    judge(runs, { takesRate }) {
      if (!takesRate) return noRate
      const share = ({ log, ratePerSecond = Number.NaN }: Attempt) => (100 * rateOf(log)) / ratePerSecond
      const shares = [...runs.plain, ...runs.slow].map(share)
      return measured(shares, 100, 100 * rateWithin, (value) => `${value.toFixed(2)} %`)
    },
  },
  arrivals: {
    title: 'requests come one by one: gaps under 50 µs at 500/s, largest burst',
    unit: '% of gaps',
    rule: 'at most 1 %',
    from: ['plain'],
    judge(runs, { takesRate }) {
      if (!takesRate) return noRate
      const found = runs.plain.map(({ log }) => arrivalsOf(log))
      const largest = Math.max(...found.map(({ largestBurst }) => largestBurst))
      const cell = measured(
        found.map(({ burstShare }) => burstShare * 100),
        0,
        100 * burstsWithin,
        (value) => `${value.toFixed(1)} %`,
      )
      return { ...cell, text: `${cell.text}, burst of ${largest}` }
    },
  },
  punctual: {
    title: 'how late its requests come at 500/s: p99',
    unit: 'µs',
    rule: 'within 1 ms of its own schedule, as the server sees it',
    from: ['plain'],
    judge(runs, { takesRate }) {
      if (!takesRate) return noRate
      return measured(
        runs.plain.map(({ log, ratePerSecond = 1 }) => percentileOf(latenesses(log, ratePerSecond), 99)),
        0,
        lateAtMostUs,
      )
    },
  },
  counted: {
    title: 'requests that it reports, of those that the server counted',
    unit: 'requests',
    rule: 'to the request',
    from: ['plain'],
    judge(runs) {
      const [reported, seen] = [...runs.plain, ...runs['delay-5ms']].reduce(
        ([told, counted], { report, log }) => [
          told + (report ? reportedTotal(report) : 0),
          counted + log.requests.length,
        ],
        [0, 0],
      )
      const missing = seen - reported
      return {
        verdict: missing === 0 ? 'right' : 'off',
        text: missing === 0 ? 'all' : `${missing > 0 ? '−' : '+'}${Math.abs(missing)} of ${seen}`,
        value: reported,
        truth: seen,
      }
    },
  },
  adds: {
    title: 'adds to p50 by itself, without a fault',
    unit: 'µs',
    rule: `at most ${addsAtMostUs} µs`,
    from: ['plain'],
    judge: ({ plain }) =>
      measured(
        plain.map((run) => p50(run) - medianOf(serviceTimes(run.log))),
        0,
        addsAtMostUs,
        us,
        stepOf(plain),
      ),
  },
  'delay-200us': rise('delay-200us', '0.2 ms'),
  'delay-1ms': rise('delay-1ms', '1 ms'),
  'delay-5ms': rise('delay-5ms', '5 ms'),
  slow: {
    title: 'one request in 1 000 is 50 ms slower: its slowest, and not its p99',
    unit: 'µs',
    rule: 'slowest within 5 %, p99 below half of it',
    from: ['slow'],
    judge: ({ slow }) => {
      const truth = Math.max(...slow.map(({ log }) => Math.max(...serviceTimes(log))))
      const [p99, slowest] = [99, 100].map((p) => medianOf(slow.map((run) => latencyPercentile(run, p))))
      const right = Math.abs((slowest ?? 0) - truth) <= truth * latencyWithin && (p99 ?? 0) < truth / 2
      return {
        verdict: right ? 'right' : 'off',
        text: `${us(slowest ?? 0)} (${us(truth)})`,
        ...{ value: round(slowest ?? 0), truth: round(truth) },
      }
    },
  },
  freeze: {
    title: 'a freeze of 100 ms at 1 000/s: p99, charged from when requests were due',
    unit: 'µs',
    rule: 'within 5 %',
    from: ['freeze'],
    judge({ freeze }, { takesRate }) {
      const sent = medianOf(freeze.map(({ log }) => percentileOf(serviceTimes(log), 99)))
      if (!takesRate) {
        const read = medianOf(freeze.map((run) => latencyPercentile(run, 99)))
        return cannot(`takes no rate; reads ${us(read)}, its requests waited ${us(sent)}`)
      }
      const cell = measured(
        freeze.map((run) => latencyPercentile(run, 99)),
        freeze.map(({ log, ratePerSecond = 1 }) => percentileOf(responseTimes(log, ratePerSecond), 99)),
        (truth) => truth * latencyWithin,
        us,
        stepOf(freeze),
      )
      const { verdict, value = Number.NaN, truth = Number.NaN } = cell
      const chargesSent = verdict !== 'right' && Math.abs(value - sent) < Math.abs(value - truth)
      return chargesSent ? { ...cell, text: `${cell.text}, near what was sent: ${us(sent)}` } : cell
    },
  },
  saturated: {
    title: 'twice what the server can do: p50, charged from when requests were due',
    unit: 'µs',
    rule: 'within 5 %',
    from: ['saturated'],
    judge({ saturated }, { takesRate }) {
      if (!takesRate) return noRate
      return measured(
        saturated.map(p50),
        saturated.map(({ log, ratePerSecond = 1 }) => percentileOf(responseTimes(log, ratePerSecond), 50)),
        (truth) => truth * latencyWithin,
      )
    },
  },
  throughput: {
    title: 'the same: the rate that it reports',
    unit: '/s',
    rule: 'within 2 % of what the server answered a second',
    from: ['saturated'],
    judge({ saturated }) {
      return measured(
        saturated.map(({ report }) => ((report?.ok ?? 0) / (report?.windowMs ?? Number.NaN)) * 1000),
        saturated.map(({ log }) => rateOfReplies(log)),
        (truth) => truth * 0.02,
        (value) => value.toFixed(0),
      )
    },
  },
  resolution: {
    title: 'step of its times',
    unit: 'µs',
    rule: `at most ${stepAtMostUs} µs`,
    from: ['plain'],
    judge({ plain, 'delay-1ms': late }) {
      const step = stepOf([...plain, ...late])
      return { verdict: step <= stepAtMostUs ? 'right' : 'off', text: us(step), value: step }
    },
  },
  'in-flight': {
    title: 'what is in flight when its time is up',
    unit: 'requests',
    rule: 'waited for, or counted',
    from: ['delay-5ms'],
    compare: 'verdict',
    judge({ 'delay-5ms': runs }) {
      const cut = runs.reduce((sum, { log }) => sum + countFate(log, 'lost'), 0)
      const missing = runs.reduce(
        (sum, { log, report }) => sum + log.requests.length - (report ? reportedTotal(report) : 0),
        0,
      )
      const figures = { value: missing, truth: 0 }
      if (cut === 0) return { verdict: 'right', text: 'waits', ...figures }
      if (missing <= 0) return { verdict: 'right', text: `cuts ${cut} off and counts them`, ...figures }
      return { verdict: 'hidden', text: `cuts ${cut} off, counts ${Math.max(0, cut - missing)}`, ...figures }
    },
  },
  connect: {
    title: 'a connection that takes 1 s: in its first request’s time?',
    unit: 'µs',
    rule: 'kept apart',
    from: ['connect'],
    compare: 'verdict',
    judge({ connect }) {
      const slowest = medianOf(connect.map((run) => latencyPercentile(run, 100)))
      const within = slowest > 500_000
      return {
        verdict: within ? 'off' : 'right',
        text: within ? `within: ${us(slowest)}` : 'apart',
        value: round(slowest),
      }
    },
  },
  close: answers('close', '`Connection: close` on every 100th reply'),
  'status-204': answers('status-204', '204 without a body'),
  'status-304': answers('status-304', '304 without a body'),
  chunked: answers('chunked', 'chunks and a trailer'),
  ipv6: answers('ipv6', 'an IPv6 literal'),
  errors: failures('errors', 'error', ['5xx', 'other'], 'every 20th reply is 503: errors that it tells'),
  reset: failures('reset', 'reset', ['reset'], 'every 20th reply is reset in mid-body: errors that it tells'),
  fresh: {
    title: 'a connection for each request',
    unit: 'connections',
    rule: 'as many as requests, without errors',
    from: ['fresh'],
    compare: 'verdict',
    judge({ fresh }, { canBeFresh }) {
      if (!canBeFresh) return cannot('cannot be asked for it')
      const [run] = fresh
      if (!run?.report) return { verdict: 'failed', text: run?.failure ?? 'not run' }
      const { connectionsOpened: opened, requests } = run.log
      const failed = reportedTotal(run.report) - run.report.ok
      // A connection may be opened to look whether somebody listens, or for a request that is not sent any more.
      const right =
        failed === 0 && requests.length > 0 && opened >= requests.length && opened - requests.length <= 16
      return {
        verdict: right ? 'right' : 'off',
        text: `${opened} for ${requests.length}${failed > 0 ? `, ${failed} errors` : ''}`,
        ...{ value: opened, truth: requests.length },
      }
    },
  },
  cpu: {
    title: 'CPU for a request, start-up left out',
    unit: 'µs',
    rule: 'told',
    from: ['slow', 'connect'],
    compare: 'never',
    judge({ slow, connect }) {
      // Both take two seconds, one of them with hardly a request.
      const [idle] = connect
      if (!idle) return { verdict: 'failed', text: 'not run' }
      const costs = slow.map(({ cpuUs, served }) => (cpuUs - idle.cpuUs) / (served - idle.served))
      return { ...measured(costs, 0, Infinity), verdict: 'told' }
    },
  },
} as const satisfies Record<string, Question>

export type QuestionName = keyof typeof questions

function rateOfReplies({ requests }: Attempt['log']): number {
  const sent = requests.flatMap(({ sentUs }) => sentUs ?? [])
  const spanUs = Math.max(...sent) - Math.min(...sent)
  return ((sent.length - 1) / spanUs) * 1e6
}

/** One tool's row: every question, or why it has no answer. */
export function judgeTool(runs: Attempts, tool: Able): Record<string, TruthCell> {
  return Object.fromEntries(
    Object.entries<Question>(questions).map(([name, question]): [string, TruthCell] => {
      if (name === 'rate' && !tool.takesRate) return [name, noRate]
      if (name === 'fresh' && !tool.canBeFresh) return [name, question.judge(runs, tool)]
      const failed = question.from
        .flatMap((scenario) => runs[scenario])
        .find(({ report }) => report === undefined)
      return [name, failed ? { verdict: 'failed', text: failed.failure ?? '' } : question.judge(runs, tool)]
    }),
  )
}
