/** The promise of CONTRIBUTING.md: an experiment is one file and one line, from the config to the page. */
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { analyze } from '../harness/analyze/analyze.js'
import { catalogue } from '../harness/cli/catalogue.js'
import { resolveConfig } from '../harness/config/resolve-config.js'
import type { Analysis, JournalEntry, Trial } from '../harness/model.js'
import { makePlan } from '../harness/plan/plan.js'
import { createDisplay } from '../harness/run/display.js'
import { RunJournal } from '../harness/run/journal.js'
import { executePlan } from '../harness/run/run.js'
import { syntheticJournal } from '../harness/testdata/synthetic-journal.js'
import { createFake } from '../harness/testing/fake-platform.js'
import { renderHtml } from '../reports/page/render.js'
import { readAssets } from '../reports/testdata/assets.js'
import type { Experiment } from './experiments/experiment.js'

/** The two files: each declares an experiment with a metric and a chart of its own. */
const toys = vi.hoisted(() => {
  const load = {
    engine: 'open-loop' as const,
    model: 'open' as const,
    protocol: 'http1' as const,
    ratePerSecond: 100,
    connections: 16,
    payloadBytes: 1024,
    warmupMs: 0,
    durationMs: 100,
    timeoutMs: 1000,
  }
  const replySize = {
    id: 'toy.replyBytes',
    title: 'Bytes of a reply',
    unit: 'count' as const,
    better: 'less' as const,
    sample: 'round' as const,
    read: ({ trial }: { trial: Trial }) => trial.load && trial.load.bodyBytes / trial.load.ok,
    resolution: () => 1,
  }
  const outage = {
    id: 'toy.outageMs',
    title: 'Time that the hop was away',
    unit: 'ms' as const,
    better: 'less' as const,
    sample: 'round' as const,
    read({ trial: { events = [] } }: { trial: Trial }) {
      const [killed, back] = ['kill', 'await'].map((what) =>
        events.find(({ action }) => action.startsWith(what)),
      )
      return killed && back && back.endedMs - killed.startedMs
    },
    resolution: () => 0.001,
  }
  return { load, replySize, outage }
})

vi.mock('./experiments/index.js', async (original) => {
  const { experiments } = await original<typeof import('./experiments/index.js')>()
  const { load, replySize, outage } = toys
  const toy: Experiment<{ ratePerSecond: number }> = {
    name: 'toy',
    question: 'How large is a reply?',
    settings: z.strictObject({ ratePerSecond: z.number().default(100) }),
    loads: ({ ratePerSecond }) => [{ label: 'toy load', load: { ...load, ratePerSecond } }],
    metrics: [replySize],
    charts: [
      { name: 'toy-replies', title: 'Size of replies', caption: 'Counted by the client.', metric: replySize },
    ],
  }
  const target = { hop: 'client-tunnel' }
  const acting: Experiment<object> = {
    name: 'acting',
    question: 'How long is a hop away that is killed and started again?',
    settings: z.strictObject({}),
    loads: () => [
      {
        label: 'acting load',
        load,
        script: [
          { atMs: 0, target, change: { do: 'kill' } },
          { atMs: 20, target, change: { do: 'start' } },
          { atMs: 20, target, awaitWithinMs: 1000 },
        ],
      },
    ],
    carries: ({ hops }) => hops.some(({ name }) => name === target.hop),
    metrics: [outage],
    charts: [{ name: 'toy-outage', title: 'Outages', caption: 'From kill to health.', metric: outage }],
  }
  return { experiments: { ...experiments, toy, acting } }
})

const arm = 'reference/l4-only'
let analysis: Analysis
let trials: readonly Trial[]
let page: string

beforeAll(async () => {
  const config = resolveConfig({
    arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar'] },
    experiments: { toy: { ratePerSecond: 50 }, acting: {} },
    rounds: { min: 4, max: 4 },
    thresholds: [{ metric: 'toy.replyBytes', arm, max: 2048, absolute: true }],
  })
  const plan = makePlan(config, catalogue)
  const [syntheticHeader] = syntheticJournal({ rounds: 1, durationMs: 100 })
  if (syntheticHeader?.type !== 'run') throw new Error('a journal starts with its header')
  const fake = createFake()
  const header: JournalEntry = {
    type: 'run',
    schema: 1,
    runId: 'toy',
    version: '0',
    startedAt: '2026-01-01T00:00:00.000Z',
    command: [],
    plan,
    host: syntheticHeader.host,
  }
  const entries: JournalEntry[] = [header]
  await executePlan({
    plan,
    runId: 'toy',
    platform: fake.platform,
    meshes: fake.meshes,
    journal: new RunJournal((entry) => void entries.push(entry), []),
    display: createDisplay({ write: () => true }),
    signal: new AbortController().signal,
    precisionReached: () => false,
  })
  trials = entries.filter((entry) => entry.type === 'trial')
  analysis = analyze(entries)
  page = await renderHtml(analysis, readAssets())
}, 60_000)

describe('an experiment that is one file and one line', () => {
  it('has its metric estimated, compared and judged', () => {
    const cell = analysis.cells.find(({ arm: id, experiment }) => id === arm && experiment === 'toy')
    expect(cell?.figures?.['toy.replyBytes']).toMatchObject({ value: 1024, n: 4 })
    expect(cell?.load.ratePerSecond).toBe(50)
    expect(analysis.comparisons.filter(({ experiment }) => experiment === 'toy')).toHaveLength(3)
    expect(analysis.thresholds).toMatchObject([{ state: 'pass', threshold: { metric: 'toy.replyBytes' } }])
  })

  it('has its chart on the page, with its figures', () => {
    // Chart, figure and threshold.
    const texts = ['Size of replies', 'toy.replyBytes value', 'Bytes of a reply of ']
    expect(texts.filter((text) => !page.includes(text))).toEqual([])
  })
})

describe('an experiment that acts', () => {
  const acted = () => trials.filter(({ events }) => events)

  it('is put to the arms that it can be put to, and leaves the baseline alone', () => {
    const arms = new Set(
      analysis.cells.filter((cell) => cell.experiment === 'acting').map((cell) => cell.arm),
    )
    expect([...arms]).toEqual(['none/baseline', 'none/baseline-twin', arm])
    expect(acted().every(({ cell }) => cell.includes(arm))).toBe(true)
  })

  it('records what it did, when, and in which order; what it killed fails no trial', () => {
    expect(acted()).toHaveLength(4)
    for (const { state, events = [] } of acted()) {
      expect(state).toBe('ok')
      expect(events.map(({ action }) => action)).toEqual([
        'kill client-tunnel',
        'start client-tunnel',
        'await client-tunnel',
      ])
      const times = events.flatMap(({ dueMs, startedMs, endedMs }) => [
        dueMs <= startedMs,
        startedMs <= endedMs,
      ])
      expect(times).not.toContain(false)
    }
  })

  it('has metrics of its events, and a chart of them', () => {
    const cell = analysis.cells.find(({ arm: id, experiment }) => id === arm && experiment === 'acting')
    expect(cell?.figures?.['toy.outageMs']).toMatchObject({ unit: 'ms', n: 4 })
    expect(page.includes('Outages')).toBe(true)
  })
})
