import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { histogramOf, percentileUs } from '../../../harness/load/histogram.js'
import type { LoadResult, Running } from '../../../harness/model.js'
import { joinGenerators, mergeResults, splitLoad } from './generators.js'

const specOf = (argv: readonly string[]) =>
  JSON.parse(argv[argv.indexOf('--spec') + 1] ?? '') as {
    connections: number
    ratePerSecond: number
    seed: number
    payloadBytes: number
  }
const command = (spec: object) => ['node', '/app/loadgen.mjs', 'open-loop', '--spec', JSON.stringify(spec)]

describe('splitLoad', () => {
  const load = { connections: 16, ratePerSecond: 1000, seed: 7, payloadBytes: 1024 }

  it('divides connections and rate alike, whole, and gives each its own seed', () => {
    const parts = splitLoad(command(load), 3).map(specOf)
    expect(parts.map(({ connections }) => connections)).toEqual([6, 5, 5])
    expect(parts.map(({ ratePerSecond }) => ratePerSecond)).toEqual([375, 312.5, 312.5])
    expect(new Set(parts.map(({ seed }) => seed)).size).toBe(3)
    expect(parts.every(({ payloadBytes }) => payloadBytes === 1024)).toBe(true)
  })

  it('starts no generator without a connection, and leaves other commands alone', () => {
    expect(splitLoad(command({ ...load, connections: 2 }), 5)).toHaveLength(2)
    expect(splitLoad(command(load), 1)).toEqual([command(load)])
    expect(splitLoad(['node', '-p', '1'], 4)).toEqual([['node', '-p', '1']])
  })
})

const result = (parts: Partial<LoadResult>): LoadResult => ({
  engine: 'open-loop',
  sent: 10,
  ok: 10,
  errors: {},
  unsent: 0,
  windowMs: 1000,
  achievedRatePerSecond: 10,
  connectionsOpened: 1,
  warmupSent: 2,
  bodyBytes: 100,
  generatorCpuUs: 50,
  ...parts,
})

describe('mergeResults', () => {
  it('adds what is counted, keeps the longest window, and merges distributions instead of averaging them', () => {
    const merged = mergeResults([
      result({ response: histogramOf([{ us: 100, count: 10 }]) }),
      result({
        sent: 12,
        errors: { timeout: 2 },
        windowMs: 1100,
        response: histogramOf([{ us: 5000, count: 10 }]),
      }),
    ])
    expect(merged).toMatchObject({
      ...{ generators: 2, sent: 22, ok: 20, errors: { timeout: 2 }, windowMs: 1100 },
      ...{
        achievedRatePerSecond: 20,
        connectionsOpened: 2,
        warmupSent: 4,
        bodyBytes: 200,
        generatorCpuUs: 100,
      },
    })
    expect(merged.response?.count).toBe(20)
    const p99 = percentileUs(merged.response ?? histogramOf([]), 99)
    expect(Math.abs(p99 / 5000 - 1)).toBeLessThan(0.001)
  })

  it('has no distribution when a part of it is missing', () => {
    const merged = mergeResults([result({ sendLag: histogramOf([{ us: 1, count: 1 }]) }), result({})])
    expect(merged.sendLag).toBeUndefined()
  })

  it('what one generator does not know, nobody knows of all of them', () => {
    const merged = mergeResults([
      result({ unknown: ['response', 'unsent'] }),
      result({ unknown: ['unsent'] }),
      result({}),
    ])
    expect(merged.unknown).toEqual(['response', 'unsent'])
    expect(mergeResults([result({}), result({})]).unknown).toBeUndefined()
  })
})

/** A generator that says what the test tells it to. */
function scripted() {
  const output = new PassThrough()
  const written: string[] = []
  let end: (code: number) => void = () => {}
  const exited = new Promise<Awaited<Running['exited']>>((resolve) => {
    end = (code) => {
      output.end()
      resolve({ code, signal: null, tail: `code ${code}` })
    }
  })
  let kills = 0
  const running: Running = {
    lines: createInterface({ input: output }),
    write: (text) => void written.push(text),
    kill: () => {
      kills++
      end(137)
    },
    exited,
  }
  return {
    running,
    written,
    killed: () => kills,
    say: (event: object) => void output.write(`${JSON.stringify(event)}\n`),
    end: (code: number) => end(code),
  }
}

async function linesOf(running: Running): Promise<{ event: string; [key: string]: unknown }[]> {
  const lines: { event: string }[] = []
  for await (const line of running.lines) lines.push(JSON.parse(line) as { event: string })
  return lines
}

describe('joinGenerators', () => {
  it('crosses an edge when all are there, says go to all, and ends with one result', async () => {
    const [a, b] = [scripted(), scripted()]
    const joined = joinGenerators([a.running, b.running])
    const events: string[] = []
    const reading = (async () => {
      for await (const line of joined.lines) {
        const { event } = JSON.parse(line) as { event: string }
        events.push(event)
        if (event === 'edge') joined.write('go\n')
      }
    })()
    a.say({ event: 'connected', connections: 2 })
    a.say({ event: 'edge', edge: 'start' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(events).toEqual([])
    b.say({ event: 'connected', connections: 2 })
    b.say({ event: 'edge', edge: 'start' })
    await expect.poll(() => events).toEqual(['connected', 'edge'])
    await expect.poll(() => [a.written, b.written]).toEqual([['go\n'], ['go\n']])
    for (const generator of [b, a]) generator.say({ event: 'edge', edge: 'end' })
    await expect.poll(() => a.written).toHaveLength(2)
    for (const generator of [a, b]) {
      generator.say({ event: 'result', result: result({}) })
      generator.end(0)
    }
    await reading
    expect(events).toEqual(['connected', 'edge', 'edge', 'result'])
    expect(await joined.exited).toMatchObject({ code: 0 })
  })

  it('ends the others when one dies, and tells of the one that died', async () => {
    const [a, b] = [scripted(), scripted()]
    const joined = joinGenerators([a.running, b.running])
    const reading = linesOf(joined)
    b.end(125)
    expect(await joined.exited).toMatchObject({ code: 125 })
    expect(a.killed()).toBeGreaterThan(0)
    expect((await reading).filter(({ event }) => event === 'result')).toEqual([])
  })

  it('passes on what went wrong, and what is no event', async () => {
    const [a, b] = [scripted(), scripted()]
    const joined = joinGenerators([a.running, b.running])
    const lines: string[] = []
    const reading = (async () => {
      for await (const line of joined.lines) lines.push(line)
    })()
    b.running.write('x')
    a.say({ not: 'an event' })
    await expect.poll(() => lines).toEqual(['{"not":"an event"}'])
    a.say({ event: 'error', kind: 'connect', message: 'refused' })
    await reading
    expect(lines[1]).toContain('refused')
    expect(b.killed()).toBeGreaterThan(0)
  })
})
