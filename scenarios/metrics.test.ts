import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { EngineName, TrialReading } from '../harness/model.js'
import { responseTime, serviceTime } from './metrics.js'
import { metricIds, metrics, readBy } from './registry.js'

/** A config's template for `meshbench init` names metrics as a config does. */
const configs = ['harness/cli/commands/init.ts']

describe('metrics', () => {
  it('are named by their id in the registry, in configs and in tests, and nowhere else', () => {
    const root = new URL('..', import.meta.url).pathname
    const files = ['harness', 'infra', 'reports', 'scenarios']
      .flatMap((room) =>
        readdirSync(root + room, { recursive: true }).map((file) => `${room}/${String(file)}`),
      )
      .filter((file) => file.endsWith('.ts') && !configs.includes(file))
      .filter((file) => !/\.(test|itest)\.ts$|testdata|scenarios\/metrics\.ts$/.test(file))
    expect(files.length).toBeGreaterThan(300)
    const quoted = new RegExp(`['"](${metricIds.join('|').replaceAll('.', '\\.')})['"]`)
    // An experiment's own metric is declared in the experiment's file.
    const textOf = (file: string) => {
      const text = readFileSync(root + file, 'utf8')
      return file.startsWith('scenarios/experiments/') ? text.replaceAll(/^ +id: '.*',$/gm, '') : text
    }
    expect(files.filter((file) => quoted.test(textOf(file)))).toEqual([])
  })

  it('have each an id of their own, and say of what a percentile is', () => {
    expect(new Set(metricIds).size).toBe(metricIds.length)
    for (const metric of metrics.values()) {
      const awaited = Array.isArray(metric.awaited) ? (metric.awaited as number[]) : []
      expect(metric.percentiles ?? []).toEqual(expect.arrayContaining(awaited))
      expect(readBy(metric).unit).toBe(metric.unit)
    }
  })

  it('of times are no finer than their histogram, nor than what the engine can tell', () => {
    const at = (engine: EngineName, ms: number) =>
      ({ trial: { load: { engine } }, percentileMs: () => ms }) as unknown as TrialReading
    expect(responseTime.resolution(at('open-loop', 0.3), 50)).toBe(0.001)
    expect(responseTime.resolution(at('open-loop', 20), 99)).toBe(0.02)
    expect(serviceTime.resolution(at('hey', 0.3), 50)).toBe(0.1)
    expect(responseTime.resolution(at('wrk2', 2), 50)).toBe(1)
  })
})
