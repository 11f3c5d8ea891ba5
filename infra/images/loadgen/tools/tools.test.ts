import { describe, expect, it } from 'vitest'
import { parseAb } from './ab.js'
import { parseBombardier } from './bombardier.js'
import { parseFortio } from './fortio.js'
import { parseH2loadLog } from './h2load.js'
import { parseHeyCsv } from './hey.js'
import { unknownTo } from '../external.js'
import { engines } from '../../../../harness/protocol/engines.js'
import { tools } from './index.js'
import { parseK6 } from './k6.js'
import { parseNighthawk } from './nighthawk.js'
import { parseOha } from './oha.js'
import { parsePlow } from './plow.js'
import { parseVegetaCsv } from './vegeta.js'
import { parseWrkSummary } from './wrk.js'
import { parseWrk2 } from './wrk2.js'

const spec = {
  protocol: 'http1',
  arrival: 'uniform',
  ratePerSecond: 1000,
  connections: 16,
  warmupMs: 0,
  durationMs: 5000,
  payloadBytes: 1024,
  headers: {},
  workloads: 1,
  furtherTargets: [],
  timeoutMs: 2000,
  workers: 1,
  seed: 1,
  recording: true,
  target: { host: '127.0.0.1', port: 8080, authority: 'server' },
} as const
const run = { spec, url: 'http://127.0.0.1:8080/echo', authority: 'server', seconds: 5, folder: '/tmp/x' }

describe('tools', () => {
  it('read wrk', () => {
    const output = `Running 1s test\n{"requests":10,"durationUs":1104651,"connect":0,"read":1,"write":0,"status":2,"timeout":0,"buckets":[[23,5],[24,5]]}\n`
    expect(parseWrkSummary(output)).toEqual({
      ok: 8,
      errors: { reset: 1, other: 2 },
      latency: [
        [23, 5],
        [24, 5],
      ],
      windowMs: 1104.651,
    })
    expect(() => parseWrkSummary('unable to connect')).toThrow(/no summary/)
  })

  it('read wrk2', () => {
    // As it was written, but for most lines of its two tables.
    const output = `
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   183.86ms   99.56ms 381.44ms   59.55%
    Req/Sec       -nan      -nan   0.00      0.00%
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%  183.93ms
100.000%  381.70ms

  Detailed Percentile spectrum:
       Value   Percentile   TotalCount 1/(1-Percentile)

       0.774     0.000000            1         1.00
     183.935     0.500000           89         2.00
     333.823     0.900000          161        10.00
     359.423     0.968750          173        32.00
     359.423     0.971875          173        35.56
     381.695     0.994531          178       182.86
     381.695     1.000000          178          inf
#[Mean    =      183.858, StdDeviation   =       99.555]
#[Max     =      381.440, Total count    =          178]
#[Buckets =           27, SubBuckets     =         2048]
----------------------------------------------------------
  179 requests in 3.02s, 30.87KB read
  Socket errors: connect 0, read 0, write 0, timeout 1
  Non-2xx or 3xx responses: 6
Requests/sec:     59.32
`
    const report = parseWrk2(output)
    expect(report.ok).toBe(173)
    expect(report.errors).toEqual({ timeout: 1, other: 6 })
    expect([...report.latency].map(([us, count]) => [Math.round(us), count])).toEqual([
      [774, 1],
      [183935, 88],
      [333823, 72],
      [359423, 12],
      [381695, 5],
    ])
    expect(() => parseWrk2('5000 requests in 5.00s')).toThrow(/spectrum/)
  })

  it('read hey', () => {
    const output = [
      'response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset',
      '0.0072,0.0058,0.0000,0.0001,0.0010,0.0001,200,0.0546',
      '0.0053,0.0000,0.0000,0.0000,0.0052,0.0001,503,0.0618',
      '',
    ].join('\n')
    expect(parseHeyCsv(output)).toEqual({ ok: 1, errors: { '5xx': 1 }, latency: [[7200, 1]] })
    expect(() => parseHeyCsv('a,b,c')).toThrow(/CSV/)
  })

  it('read h2load', () => {
    const log = '1795416379537074\t200\t818\n1795416379537936\t404\t111\n1795416379537065\t-1\t1551\n'
    const output =
      'finished in 1.01s, 3.00 req/s\nrequests: 3 total, 3 started, 3 done, 1 succeeded, 2 failed, 1 errored, 2 timeout\ntraffic: 4.00MB (4194566) total, 3.59MB (3763200) data'
    expect(parseH2loadLog(log, output)).toEqual({
      ok: 1,
      errors: { '4xx': 1, reset: 1, timeout: 2 },
      latency: [[818, 1]],
      windowMs: 1010,
      bodyBytes: 3763200,
    })
  })

  it('read fortio', () => {
    const json = {
      ActualDuration: 5001234567,
      RetCodes: { 200: 4998, 503: 1, '-1': 1 },
      SocketCount: 17,
      DurationHistogram: { Count: 5000, Data: [{ Start: 0.0002, End: 0.0004, Percent: 100, Count: 5000 }] },
    }
    const report = parseFortio(JSON.stringify(json))
    expect(report.ok).toBe(4998)
    expect(report.errors).toEqual({ '5xx': 1, reset: 1 })
    expect(report.connectionsOpened).toBe(17)
    expect(report.windowMs).toBeCloseTo(5001.234567)
    const [[us, count] = [0, 0]] = [...report.latency]
    expect(us).toBeCloseTo(300)
    expect(count).toBe(5000)
    expect(() => parseFortio('{}')).toThrow(/DurationHistogram/)
  })

  it('read oha, and never make a step better than it was', () => {
    const json = {
      summary: { total: 5, slowest: 0.01, fastest: 0.0001, totalData: 1024 },
      latencyPercentiles: { p10: 0.0001, p50: 0.0002, p99: 0.001, 'p99.9': null },
      statusCodeDistribution: { 200: 1000, 500: 2 },
      errorDistribution: { 'aborted due to deadline': 3, 'Connection refused (os error 111)': 4 },
    }
    const cut = { ...json, errorDistribution: { 'connection closed before message completed': 5 } }
    expect(parseOha(JSON.stringify(cut)).errors).toEqual({ '5xx': 2, reset: 5 })
    const report = parseOha(JSON.stringify(json))
    expect(report.ok).toBe(1000)
    expect(report.errors).toEqual({ '5xx': 2, connect: 4 })
    expect([...report.latency].map(([us, count]) => [Math.round(us), count])).toEqual([
      [100, 100],
      [200, 400],
      [1000, 490],
      [10_000, 10],
    ])
  })

  it('read nighthawk, and take all of its workers together', () => {
    // As version 0.5 writes it: options left out, one worker's own result first.
    const latency = (counts: readonly (readonly [string, string, number])[]) => ({
      count: counts.at(-1)?.[0] ?? '0',
      id: 'benchmark_http_client.latency_2xx',
      percentiles: counts.map(([count, duration, percentile]) => ({ percentile, count, duration })),
      mean: '0.000254s',
      pstdev: '0.000080s',
      min: '0.000101s',
      max: '0.002004s',
    })
    const json = {
      options: { requests_per_second: 500, connections: 8, duration: '5s', concurrency: '2' },
      results: [
        {
          name: 'worker_0',
          statistics: [latency([['2500', '0.000240s', 1]])],
          counters: [{ name: 'benchmark.http_2xx', value: '2500' }],
          execution_duration: '4.999s',
        },
        {
          name: 'global',
          statistics: [
            { count: '12', id: 'sequencer.blocking', percentiles: [], mean: '0s', pstdev: '0s' },
            latency([
              ['1', '0.000101s', 0],
              ['2500', '0.000250111s', 0.5],
              ['4990', '0.002004s', 1],
            ]),
          ],
          counters: [
            { name: 'benchmark.http_2xx', value: '4990' },
            { name: 'benchmark.http_5xx', value: '7' },
            { name: 'benchmark.stream_resets', value: '2' },
            { name: 'benchmark.pool_connection_failure', value: '1' },
            { name: 'upstream_cx_total', value: '16' },
            { name: 'upstream_rq_total', value: '4999' },
          ],
          execution_duration: '5.000021s',
        },
      ],
      timestamp: '2026-02-13T23:31:31.567Z',
    }
    const report = parseNighthawk(
      `[12:00:00.000] [info] Starting 2 threads\n${JSON.stringify(json, null, 1)}\n`,
    )
    expect(report).toMatchObject({
      ok: 4990,
      errors: { '5xx': 7, reset: 2, connect: 1 },
      connectionsOpened: 16,
    })
    expect(report.windowMs).toBeCloseTo(5000.021)
    expect([...report.latency].map(([us, count]) => [Math.round(us), count])).toEqual([
      [101, 1],
      [250, 2499],
      [2004, 2490],
    ])
    expect(() => parseNighthawk('{"results":[]}')).toThrow(/global/)
  })

  it('read ab, whose broken-off requests are among the complete ones', () => {
    const output = [
      'Time taken for tests:   1.005 seconds',
      'Complete requests:      1840',
      'Failed requests:        101',
      '   (Connect: 1, Receive: 5, Length: 0, Exceptions: 95)',
      'Non-2xx responses:      37',
      'HTML transferred:       1928192 bytes',
    ].join('\n')
    const report = parseAb('Percentage served,Time in ms\n0,1.034\n50,1.1\n99,5.331\n100,18.896\n', output)
    expect(report).toMatchObject({
      ok: 1702,
      errors: { connect: 1, reset: 100, other: 37 },
      bodyBytes: 1928192,
    })
    expect(report.windowMs).toBeCloseTo(1005)
    expect([...report.latency].map(([us, count]) => [Math.round(us), count])).toEqual([
      [1100, 920],
      [5331, 902],
      [18896, 18],
    ])
    expect(() => parseAb('', 'apr_socket_recv: Connection refused')).toThrow(/completed nothing/)
  })

  it('read vegeta, also a body that broke off behind a good status', () => {
    const line = (status: number, ns: number, failure = '') =>
      `1795857514310332972,${status},${ns},0,1024,${failure},,,2,GET,http://127.0.0.1:8080/echo,Q29u`
    const output = [
      line(200, 10804876),
      line(503, 1),
      line(200, 2, 'unexpected EOF'),
      line(0, 3, 'dial tcp: connection refused'),
    ].join('\n')
    expect(parseVegetaCsv(`${output}\n`)).toEqual({
      ok: 1,
      errors: { '5xx': 1, reset: 1, connect: 1 },
      latency: [[10804.876, 1]],
    })
    expect(() => parseVegetaCsv('')).toThrow(/no results/)
  })

  it('read k6, by the counters of its script', () => {
    // Written by 1.8.1; metrics that are not read are left out.
    const output = `{"http_req_duration":{"type":"trend","contains":"time","values":{"p(25)":1.1522824999999999,"p(50)":1.2048345,"p(95)":11.38403169999998,"p(99)":26.427049359999998,"p(99.9)":76.07615435600044,"max":82.222265,"p(10)":1.1301131,"p(75)":1.4336025000000001,"p(90)":6.553190500000005,"count":382}},"status_200":{"type":"counter","contains":"default","values":{"count":363,"rate":346.30922550442205}},"status_500":{"type":"counter","contains":"default","values":{"count":19,"rate":18.126378194446332}},"dropped_iterations":{"contains":"default","values":{"count":105,"rate":100.17209002194026},"type":"counter"},"http_reqs":{"contains":"default","values":{"count":382,"rate":364.43560369886836},"type":"counter"}}`
    const report = parseK6(output)
    expect(report).toMatchObject({ ok: 363, errors: { '5xx': 19 }, dropped: 105 })
    // What it leaves out is a figure of the trial, as with our own engines.
    expect(unknownTo(tools.k6, report)).toEqual(engines.k6.lacks)
    expect(unknownTo(tools.fortio, {})).toEqual(engines.fortio.lacks)
    expect([...report.latency].map(([us, count]) => [Math.round(us), count])).toEqual([
      [1130, 39],
      [1152, 57],
      [1205, 95],
      [1434, 96],
      [6553, 57],
      [11384, 19],
      [26427, 16],
      [76076, 3],
    ])
    expect(() => parseK6('{}')).toThrow(/http_req_duration/)
  })

  it('read plow', () => {
    // As it was written, but for the histogram, which is left out, and an error, which is added.
    const output = `{
  "Summary": {
    "Elapsed": "1s",
    "Count": 325,
    "Counts": { "2xx": 309, "5xx": 16 },
    "RPS": 324.989,
    "Concurrency": 4
  },
  "Error": { "the server closed connection before returning the first response byte": 2 },
  "Statistics": {
    "Latency": { "Min": "0.001052", "Mean": "0.005363", "StdDev": "0.00999", "Max": "0.065041" }
  },
  "Percentiles": { "P50": "0.001184", "P99": "0.056817", "P99.99": "0.065041" }
}`
    const report = parsePlow(output)
    expect(report).toMatchObject({ ok: 309, errors: { '5xx': 16, reset: 2 } })
    expect(report.windowMs).toBeCloseTo(1000, 0)
    expect([...report.latency].map(([us, count]) => [Math.round(us), count])).toEqual([
      [1184, 163],
      [56817, 159],
      [65041, 3],
    ])
    expect(() => parsePlow('{}')).toThrow(/no summary/)
  })

  it('read bombardier', () => {
    const output = `{"spec":{"rate":500},"result":{"bytesRead":489515,"timeTakenSeconds":1.000958193,"req1xx":0,"req2xx":440,"req3xx":0,"req4xx":0,"req5xx":3,"others":2,"errors":[{"description":"dial tcp 127.0.0.1:1: connect: connection refused","count":2}],"latency":{"mean":1701,"max":130325,"percentiles":{"50":1216,"75":1293,"90":1687,"95":2429,"99":5546}}}}`
    const report = parseBombardier(output)
    expect(report).toMatchObject({ ok: 440, errors: { '5xx': 3, connect: 2 } })
    expect([...report.latency].at(-1)).toEqual([130325, 4])
    expect(() => parseBombardier('{}')).toThrow(/no latencies/)
  })

  it('name the authority, the connections and the duration on every command line, and say what they lack', () => {
    for (const tool of Object.values(tools)) {
      const argv = tool.argv(run)
      expect(argv.some((argument) => argument.endsWith('server'))).toBe(true)
      expect(argv.some((argument) => /^(CONNECTIONS=)?16$/.test(argument))).toBe(true)
      expect(argv.some((argument) => /^(SECONDS=)?5s?$/.test(argument))).toBe(true)
      expect(tool.limits.length).toBeGreaterThan(0)
    }
  })
})
