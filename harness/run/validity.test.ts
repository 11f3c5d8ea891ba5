import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { histogramOf } from '../load/histogram.js'
import { resolveConfig } from '../config/resolve-config.js'
import type { BillCategory, LoadResult, LoadSpec, Usage } from '../model.js'
import { packageRoot } from '../process/package-root.js'
import { readJournal } from './journal.js'
import { judgeProbe, judgeValidity } from './validity.js'
import { defined } from '../model/defined.js'

const { validity: limits } = resolveConfig({ arms: { reference: ['l4-only'] } })
const spec: LoadSpec = {
  engine: 'open-loop',
  model: 'open',
  protocol: 'http1',
  ratePerSecond: 1000,
  connections: 16,
  warmupMs: 0,
  durationMs: 1000,
  payloadBytes: 0,
  timeoutMs: 1000,
}
const at = (us: number, count = 1000) => histogramOf([{ us, count }])
const load: LoadResult = {
  engine: 'open-loop',
  sent: 1000,
  ok: 1000,
  errors: {},
  unsent: 0,
  windowMs: 1000,
  achievedRatePerSecond: 1000,
  connectionsOpened: 16,
  warmupSent: 0,
  bodyBytes: 0,
  response: at(300),
  service: at(290),
  sendLag: at(15),
  generatorCpuUs: 100_000,
}
const usage: Usage = {
  windowMs: 1000,
  cpus: 2,
  hostBusyNs: 0.3e9,
  hostSoftirqNs: 0,
  hostStealNs: 0,
  orchestratorNs: 0,
  components: [
    {
      component: 'generator',
      category: 'generator',
      cpuNs: 0.1e9,
      source: 'self-reported',
      resolutionNs: 1000,
    },
  ],
}

test('a clean trial is valid and gives no warning', () => {
  expect(judgeValidity(spec, load, usage, limits)).toEqual({ reasons: [], warnings: [] })
})

test.each<[string, Partial<LoadResult>, Partial<Usage>, RegExp]>([
  ['nothing sent', { sent: 0, ok: 0 }, {}, /no request was sent/],
  ['errors', { ok: 997, errors: { '5xx': 3 } }, {}, /3 of 1000 requests failed \(3 × 5xx\)/],
  ['unsent', { unsent: 4 }, {}, /4 requests were due but never sent/],
  ['too slow', { achievedRatePerSecond: 900 }, {}, /achieved 90\.0 % of the asked rate/],
  [
    'too fast',
    { achievedRatePerSecond: 1200 },
    {},
    /achieved 120\.0 % of the asked rate; at most 102\.0 % may be/,
  ],
  ['lag', { sendLag: at(9000) }, {}, /the generator lagged: p99 of sent − due was \d+ µs/],
  [
    'generator at its limit',
    {},
    {
      components: [
        { component: 'generator', category: 'generator', cpuNs: 0.97e9, source: 's', resolutionNs: 1 },
      ],
    },
    /the generator used 97\.0 % of a core/,
  ],
  ['steal', {}, { hostStealNs: 1.2e9 }, /the hypervisor stole 60\.0 % of the host/],
  ['foreign load', {}, { hostBusyNs: 1.9e9 }, /others used 90\.0 % of the host/],
])('%s makes it invalid', (_name, loadChange, usageChange, reason) => {
  const { reasons } = judgeValidity(spec, { ...load, ...loadChange }, { ...usage, ...usageChange }, limits)
  expect(reasons).toHaveLength(1)
  expect(reasons[0]).toMatch(reason)
})

test('requests that may fail are no missing rate', () => {
  const failing = { ...load, ok: 900, errors: { timeout: 100 }, achievedRatePerSecond: 900 }
  const lax = { ...limits, maxErrorShare: 0.2 }
  expect(judgeValidity(spec, failing, usage, lax).reasons).toEqual([])
  expect(judgeValidity(spec, failing, usage, limits).reasons).toEqual([
    expect.stringMatching(/^100 of 1000 requests failed/),
  ])
  const slow = { ...failing, achievedRatePerSecond: 800 }
  expect(judgeValidity(spec, slow, usage, lax).reasons).toEqual([expect.stringMatching(/achieved 88\.9 %/)])
})

test('a window too short for its rate holds fewer requests than were asked for, and all of them are enough', () => {
  const short = { ...spec, ratePerSecond: 3, durationMs: 400 }
  const reasonsOf = (change: Partial<LoadResult>) =>
    judgeValidity(short, { ...load, sent: 1, ok: 1, achievedRatePerSecond: 2.5, ...change }, usage, limits)
      .reasons
  expect(reasonsOf({})).toEqual([])
  // An engine that does not count what it left unsent may have left some.
  expect(reasonsOf({ unknown: ['unsent'] })).toEqual([expect.stringMatching(/achieved 83\.3 %/)])
})

test('a tail at 40 ms and a throttled hop are warned of', () => {
  const response = histogramOf([
    { us: 300, count: 900 },
    { us: 40_300, count: 100 },
  ])
  expect(judgeValidity(spec, { ...load, response }, usage, limits).warnings[0]).toContain('TCP_NODELAY')
  const throttled = {
    ...usage,
    components: [
      {
        component: 'hop',
        category: 'l7' as const,
        cpuNs: 1,
        throttledPeriods: 3,
        source: 's',
        resolutionNs: 1,
      },
    ],
  }
  expect(judgeValidity(spec, load, throttled, limits).warnings).toContainEqual(
    expect.stringContaining('hop was throttled in 3 periods'),
  )
})

test('a timer that is late as a rule is warned of, one that is late at times is not', () => {
  const warningsOf = (sendLag: LoadResult['sendLag']) =>
    judgeValidity(spec, { ...load, ...defined({ sendLag }) }, usage, limits).warnings
  expect(warningsOf(at(800))).toEqual([
    expect.stringMatching(/^timer floor: half of the requests were sent (79|80)\d µs/),
  ])
  const hiccups = histogramOf([
    { us: 15, count: 900 },
    { us: 3000, count: 100 },
  ])
  expect(warningsOf(hiccups)).toEqual([])
})

test('a median at 40 ms is a slow server, not a delayed ACK', () => {
  expect(judgeValidity(spec, { ...load, response: at(40_300) }, usage, limits).warnings).toEqual([])
})

test('others on the host are warned of before they make a trial invalid', () => {
  const share = limits.maxForeignCpuShare / 2
  const { reasons, warnings } = judgeValidity(
    spec,
    load,
    { ...usage, hostBusyNs: 0.1e9 + share * 2e9 },
    limits,
  )
  expect(reasons).toEqual([])
  expect(warnings).toEqual([expect.stringMatching(/^others used 25\.0 % of the host/)])
})

test('a search asks for too much: only what others do makes its trial invalid', () => {
  const beyond = { ...load, ok: 900, errors: { timeout: 100 }, unsent: 50, sendLag: at(90_000) }
  expect(judgeProbe(beyond, usage, limits).reasons).toEqual([])
  expect(judgeProbe({ ...load, sent: 0, ok: 0 }, usage, limits).reasons).toEqual(['no request was sent'])
  expect(judgeProbe(load, { ...usage, hostStealNs: 1.2e9 }, limits).reasons).toHaveLength(1)
})

test('a closed loop may use all of its core', () => {
  const busy = {
    ...usage,
    components: [
      { component: 'generator', category: 'generator' as const, cpuNs: 0.99e9, source: 's', resolutionNs: 1 },
    ],
    hostBusyNs: 1e9,
  }
  expect(judgeValidity({ ...spec, model: 'closed' }, load, busy, limits).reasons).toEqual([])
})

describe('on a cluster that shares the host', () => {
  const row = (component: string, category: BillCategory, share: number) => ({
    ...{ component, category, source: 's', resolutionNs: 1 },
    cpuNs: share * 2e9,
  })
  const measured = [
    row('generator', 'generator', 0.1),
    row('arm/hop', 'l7', 0.15),
    row('echo', 'application', 0.05),
  ]
  const cluster = [
    row('kubernetes/kubelet', 'platform', 0.2),
    row('kubernetes/kube-apiserver', 'platform', 0.2),
    row('istio-sidecar/istiod', 'control-plane', 0.15),
  ]
  const judge = (busy: number, components: Usage['components']) =>
    judgeValidity(spec, load, { ...usage, hostBusyNs: busy * 2e9, components }, limits)

  test('what runs it is on the bill, and foreign only where it is not', () => {
    // The same trial, its bill without the rows of the cluster and with them.
    expect(judge(0.88, measured).reasons).toEqual(['others used 58.0 % of the host; at most 50.0 %'])
    expect(judge(0.88, [...measured, ...cluster]).reasons).toEqual([])
  })

  test('so it is in a recorded run: what the cluster took was told as others’ before it had rows', () => {
    const { header, entries } = readJournal(join(packageRoot, 'harness/testdata/journals/kind'))
    const strict = { ...header.plan.config.validity, maxForeignCpuShare: 0.1 }
    const judged = entries.flatMap((entry) => {
      if (entry.type !== 'trial' || !entry.load || !entry.usage) return []
      const { load: measuredLoad, usage: bill } = entry
      const strangers = bill.components.filter(({ category }) => category !== 'platform')
      const reasonsOf = (components: Usage['components']) =>
        judgeValidity(spec, measuredLoad, { ...bill, components }, strict).reasons.filter((reason) =>
          reason.startsWith('others used'),
        )
      return [{ before: reasonsOf(strangers), after: reasonsOf(bill.components) }]
    })
    expect(judged.length).toBe(30)
    expect(judged.filter(({ before }) => before.length === 0)).toEqual([])
    expect(judged.filter(({ after }) => after.length > 0)).toEqual([])
  })

  test('a stranger, be it a pod or a process of a node, is in no row and makes the trial invalid', () => {
    const light = [...measured, row('kubernetes/kubelet', 'platform', 0.1)]
    expect(judge(0.94, light).reasons).toEqual(['others used 54.0 % of the host; at most 50.0 %'])
    expect(judge(0.45, light).reasons).toEqual([])
  })

  test('a full host makes it invalid, and is told with the rate that it carries', () => {
    const [kubelet = row('', 'platform', 0), ...rest] = cluster
    const full = [...measured, row('kubernetes/kubelet', 'platform', kubelet.cpuNs / 2e9 + 0.12), ...rest]
    // 0.67 of the host is the cluster's: 0.28 is left, of which 1000/s would take 0.3.
    expect(judge(0.97, full)).toEqual({
      reasons: [
        'the host was saturated: its CPUs worked 97.0 % of the time; at most 95.0 %; at what a request costs on this path it carries about 930/s',
      ],
      warnings: [],
    })
    const { reasons, warnings } = judge(0.85, [...measured, ...cluster])
    expect(reasons).toEqual([])
    expect(warnings).toEqual([
      "the host's CPUs worked 85.0 % of the time; at what a request costs on this path it carries about 1300/s",
    ])
    // Where no cluster is beside it, an open loop that still keeps its schedule is believed.
    expect(judge(0.97, [...measured, row('x', 'l4', 0.67)]).reasons).toEqual([])
  })
})
