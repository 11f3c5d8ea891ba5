import { describe, expect, it } from 'vitest'
import type { ToolReport } from '../../infra/images/loadgen/tools/tool.js'
import type { Attempt } from './attempt.js'
import { parseAutocannon } from './autocannon.js'
import { latencyPercentile, middleWithError, stepOf } from './figures.js'
import type { SeenRequest } from './log.js'
import { judgeTool, type Attempts } from './questions.js'
import { scenarioNames, type ScenarioName } from './scenarios.js'

interface Seen {
  readonly count?: number
  readonly ratePerSecond?: number
  readonly serviceUs?: number
  readonly fate?: (index: number) => SeenRequest['fate']
  readonly report?: Partial<ToolReport> | undefined
}

/** A run in which requests come evenly, and a tool that tells what was true unless it is said to tell something else. */
function attemptOf({
  count = 500,
  ratePerSecond = 500,
  serviceUs = 200,
  fate = () => 'whole',
  ...rest
}: Seen): Attempt {
  const requests = Array.from({ length: count }, (_, index): SeenRequest => {
    const arrivedUs = (index * 1e6) / ratePerSecond
    return { connection: 1, index, arrivedUs, sentUs: arrivedUs + serviceUs, fate: fate(index) }
  })
  const latency: ToolReport['latency'] = [
    [serviceUs + 20, count * 0.6],
    [serviceUs + 33, count * 0.4],
  ]
  const honest: ToolReport = { ok: count, errors: {}, latency, windowMs: 1000 }
  return {
    ratePerSecond,
    log: { requests, connectionsOpened: count, cutOff: 0 },
    served: count,
    report: 'report' in rest && rest.report === undefined ? undefined : { ...honest, ...rest.report },
    failure: 'report' in rest && rest.report === undefined ? 'it ended with 1' : undefined,
    cpuUs: 1000 * count,
  }
}

const delays: Partial<Record<ScenarioName, number>> = {
  'delay-200us': 200,
  'delay-1ms': 1000,
  'delay-5ms': 5000,
}
function runs(changed: Partial<Record<ScenarioName, Seen>> = {}): Attempts {
  return Object.fromEntries(
    scenarioNames.map((name) => {
      const usual = {
        serviceUs: 200 + (delays[name] ?? 0),
        count: name === 'connect' ? 20 : 500,
        ...(name === 'slow' ? { ratePerSecond: 1000, count: 2000 } : {}),
      }
      return [name, [1, 2, 3].map(() => attemptOf({ ...usual, ...changed[name] }))]
    }),
  ) as unknown as Attempts
}
const open = { takesRate: true, canBeFresh: true }
const cellsOf = (changed?: Partial<Record<ScenarioName, Seen>>, tool = open) => judgeTool(runs(changed), tool)

describe('the questions', () => {
  it('are answered right by a tool that tells what was true', () => {
    const cells = cellsOf()
    for (const name of [
      'rate',
      'arrivals',
      'counted',
      'adds',
      'delay-200us',
      'delay-5ms',
      'resolution',
      'in-flight',
    ])
      expect([name, cells[name]?.verdict]).toEqual([name, 'right'])
    expect(cells['delay-1ms']).toMatchObject({
      value: 1000,
      truth: 1000,
      error: 1,
      text: '1.00 ms ±1 µs (1.00 ms)',
    })
    expect(cells.cpu?.verdict).toBe('told')
  })

  it('tell a rate that is missed and one that is exceeded', () => {
    expect(cellsOf({ plain: { ratePerSecond: 500, count: 500 } }).rate?.verdict).toBe('right')
    const missed = runs({ plain: { ratePerSecond: 400 }, slow: { ratePerSecond: 800, count: 2000 } })
    const askedFor = (rate: number) => (run: Attempt) => ({ ...run, ratePerSecond: rate })
    const asked = { ...missed, plain: missed.plain.map(askedFor(500)), slow: missed.slow.map(askedFor(1000)) }
    expect(judgeTool(asked, open).rate).toMatchObject({ verdict: 'off', value: 80 })
  })

  it('leave open what lies within its own error of the limit', () => {
    const told = [1000, 1040, 1070]
    const cells = judgeTool(
      {
        ...runs(),
        'delay-1ms': told.map((us) => attemptOf({ serviceUs: 1200, report: { latency: [[us + 220, 500]] } })),
      },
      open,
    )
    expect(cells['delay-1ms']).toMatchObject({ verdict: 'undecided', value: 1040, truth: 1000 })
  })

  it('tell errors that are named, miscounted and hidden', () => {
    const fate = (index: number) => (index % 20 === 19 ? 'error' : 'whole')
    expect(cellsOf({ errors: { fate, report: { ok: 475, errors: { '5xx': 25 } } } }).errors).toMatchObject({
      verdict: 'right',
      text: '25 5xx (25)',
    })
    expect(cellsOf({ errors: { fate, report: { ok: 480, errors: { '5xx': 20 } } } }).errors?.verdict).toBe(
      'off',
    )
    expect(cellsOf({ errors: { fate } }).errors).toMatchObject({ verdict: 'hidden', text: 'none of 25' })
  })

  it('tell a stall that is charged to what was sent alone', () => {
    // Four requests saw the freeze; a hundred were due in it.
    const freeze = { serviceUs: 200, ratePerSecond: 1000, count: 1000 }
    const stalled = runs({ freeze })
    const late = stalled.freeze.map((run) => ({
      ...run,
      log: {
        ...run.log,
        requests: run.log.requests.map((request, index) =>
          index >= 300 && index < 400
            ? { ...request, arrivedUs: 399_000 + index, sentUs: 400_000 + index }
            : request,
        ),
      },
    }))
    const cell = judgeTool({ ...stalled, freeze: late }, open).freeze
    expect(cell?.verdict).toBe('off')
    expect(cell?.text).toMatch(/near what was sent: /)
    expect(cell?.truth).toBeGreaterThan(85_000)
    expect(judgeTool(runs(), { ...open, takesRate: false }).freeze?.verdict).toBe('cannot')
  })

  it('say why there is no answer', () => {
    const cells = cellsOf({ plain: { report: undefined }, ipv6: { report: undefined } })
    expect(cells.adds).toEqual({ verdict: 'failed', text: 'it ended with 1' })
    expect(cells.ipv6?.verdict).toBe('failed')
    expect(cellsOf({}, { ...open, canBeFresh: false }).fresh?.verdict).toBe('cannot')
  })
})

describe('figures', () => {
  const report = (latency: [number, number][]): ToolReport => ({ ok: 1, errors: {}, latency })
  it('are read off steps', () => {
    const run = { report: report([[300, 1], [100, 98], [200, 1]]) } // prettier-ignore
    expect([50, 99, 100].map((p) => latencyPercentile(run, p))).toEqual([100, 200, 300])
    expect(latencyPercentile({ report: undefined }, 50)).toBeNaN()
    expect(stepOf([run])).toBe(100)
    expect(
      stepOf([
        {
          report: report([
            [103, 1],
            [117, 1],
          ]),
        },
      ]),
    ).toBe(1)
    // The middles of a histogram’s steps, but for the last, which ends at the slowest.
    expect(stepOf([{ report: report([[150, 40], [250, 50], [350, 9], [417, 1]]) }])).toBe(100) // prettier-ignore
  })
  it('have half of a 95 % interval by Student', () => {
    expect(middleWithError([1, 2, 3]).error).toBeCloseTo(4.303 / Math.sqrt(3), 2)
    expect(middleWithError([1])).toEqual({ value: 1 })
  })
})

it('autocannon is read with its whole milliseconds and its own errors', () => {
  const output = `{"duration":1.1,"errors":3,"timeouts":1,"mismatches":0,"resets":0,"statusCodeStats":{"200":{"count":512},"503":{"count":1}},"latency":{"average":11.36,"p50":4,"p97_5":73,"p99":88,"max":101,"totalCount":2486}}`
  const read = parseAutocannon(output)
  expect(read).toMatchObject({ ok: 512, errors: { '5xx': 1, reset: 2, timeout: 1 } })
  expect(latencyPercentile({ report: read }, 50)).toBe(4000)
  expect(latencyPercentile({ report: read }, 99)).toBe(88_000)
})
