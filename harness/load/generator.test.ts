import { describe, expect, it } from 'vitest'
import { loadCommand, parseEvent } from './generator.js'
import { histogramOf } from './histogram.js'

const result = {
  engine: 'open-loop',
  sent: 10,
  ok: 8,
  errors: { timeout: 2 },
  unsent: 0,
  windowMs: 100,
  achievedRatePerSecond: 80,
  connectionsOpened: 1,
  warmupSent: 0,
  bodyBytes: 0,
  response: histogramOf([{ us: 5, count: 8 }]),
  generatorCpuUs: 5,
}

describe('parseEvent', () => {
  it('passes what the protocol has', () => {
    for (const event of [
      { event: 'connected', connections: 16 },
      { event: 'progress', phase: 'warmup', elapsedMs: 500, sent: 500, ok: 499, p99Us: 812 },
      { event: 'progress', phase: 'window', elapsedMs: 500, sent: 0, ok: 0 },
      { event: 'edge', edge: 'start' },
      { event: 'result', result },
      { event: 'error', kind: 'connect', message: 'refused' },
    ]) {
      expect(parseEvent(JSON.stringify(event))).toEqual(event)
    }
  })

  for (const [line, problem] of [
    ['Segmentation fault', 'not JSON'],
    ['[]', 'event: Invalid input: expected object'],
    ['{"event":"hello"}', 'event: Invalid discriminator value'],
    ['{"event":"connected"}', 'connections: Invalid input: expected number'],
    ['{"event":"edge","edge":"middle"}', 'edge: Invalid option'],
    ['{"event":"progress","phase":"window","elapsedMs":1,"sent":-1,"ok":0}', 'sent: Too small'],
    ['{"event":"result"}', 'result: Invalid input'],
    [
      JSON.stringify({ event: 'result', result: { ...result, ok: 9 } }),
      'result: sent 10 is not ok 9 + errors 2',
    ],
    [
      JSON.stringify({ event: 'result', result: { ...result, windowMs: null } }),
      'result.windowMs: Invalid input',
    ],
    [
      JSON.stringify({ event: 'result', result: { ...result, service: {} } }),
      'result.service.unit: Invalid input',
    ],
  ] as const) {
    it(`says "${problem}" and quotes the line`, () => {
      expect(() => parseEvent(line)).toThrow(problem)
      expect(() => parseEvent(line)).toThrow(line.slice(0, 20))
    })
  }
})

describe('commands', () => {
  it('carry the whole spec, the target and the seed', () => {
    const spec = {
      engine: 'open-loop',
      model: 'open',
      protocol: 'http1',
      ratePerSecond: 1000,
      connections: 16,
      warmupMs: 1,
      durationMs: 2,
      payloadBytes: 3,
      timeoutMs: 4,
    } as const
    const target = { host: '127.0.0.1', port: 8080, authority: 'server' }
    const { argv } = loadCommand(spec, target, 42)
    expect(argv.slice(0, 3)).toEqual(['loadgen', 'open-loop', '--spec'])
    expect(JSON.parse(argv[3] ?? '')).toEqual({ ...spec, target, seed: 42 })
    expect(loadCommand({ ...spec, engine: 'closed-loop' }, target, 1).argv[1]).toBe('closed-loop')
  })
})
