import { describe, expect, it } from 'vitest'
import { catalogue } from '../cli/catalogue.js'
import { makePlan } from '../plan/plan.js'
import { resolveConfig } from '../config/resolve-config.js'
import { driveWith, engineWarnings, missingPrograms } from './choice.js'

const config = { arms: { reference: ['l4-only'] }, experiments: { latency: {}, saturation: {} } }
const planOf = (input: object, overrides = {}) => makePlan(resolveConfig(input, overrides), catalogue)

describe('an engine of the user’s choice', () => {
  it('drives what it can, under a label of its own, for whole seconds', () => {
    const plan = planOf({ ...config, engines: { saturation: 'wrk', latency: 'fortio' } })
    const loadOf = (experiment: string) => plan.cells.find((cell) => cell.experiment === experiment)
    expect(loadOf('saturation')).toMatchObject({
      loadLabel: 'max c16 1024B http1 by wrk',
      load: { engine: 'wrk', warmupMs: 1000, durationMs: 1000 },
    })
    expect(loadOf('latency')).toMatchObject({ load: { engine: 'fortio', ratePerSecond: 1000 } })
    expect(plan.config.engines).toEqual({ saturation: 'wrk', latency: 'fortio' })
  })

  it('changes nothing where it is the experiment’s own', () => {
    const experiments = { saturation: {} }
    const own = planOf({ ...config, experiments })
    expect(planOf({ ...config, experiments }, { engine: 'closed-loop' }).hash).toBe(own.hash)
    expect(driveWith(own.cells[0]!.load, 'closed-loop')).toBe(own.cells[0]!.load)
  })

  it.each([
    [
      'wrk',
      'latency',
      {},
      /"wrk" cannot drive latency: it is a load of an open loop; engines that can: open-loop, /,
    ],
    ['hey', 'capacity', {}, /"hey" cannot drive capacity: its search needs to know/],
    ['hey', 'latency', { protocol: 'grpc' }, /hey does not speak grpc; engines that can: open-loop/],
    ['hey', 'latency', { arrival: 'poisson' }, /hey knows no Poisson arrivals/],
    [
      'hey',
      'latency',
      { ratesPerSecond: [100], connections: 16, durationMs: 2000 },
      /16 of the 200 that are due in 2 s; over 16 connections it can keep 400 a second and more, or this rate over 4/,
    ],
    [
      'bombardier',
      'latency',
      { ratesPerSecond: [100.5] },
      /bombardier takes whole requests a second, 100 or 101, and not 100\.5/,
    ],
    [
      'hey',
      'latency',
      { mix: [{ share: 1, payloadBytes: 1 }] },
      /hey sends requests of one kind, and it mixes 1/,
    ],
    ['wrk2', 'footprint', {}, /wrk2 sends to one workload, and it has 2/],
    [
      'open-loop',
      'connect',
      {},
      /"open-loop" cannot drive connect: what it measures is what engine connect does/,
    ],
    ['curl', 'latency', {}, /--engine: "curl" is unknown; allowed: open-loop, /],
  ])('%s for %s %o is a problem that says why', (engine, experiment, settings, problem) => {
    expect(() => planOf({ ...config, experiments: { [experiment]: settings } }, { engine })).toThrow(problem)
  })

  it('is warned of where it cannot carry the question, and ours never is', () => {
    const warnings = (overrides: object) =>
      engineWarnings(planOf(config, overrides).cells.map(({ load }) => load))
    expect(warnings({})).toEqual([])
    const latency = { ...config, experiments: { latency: {} } }
    const lines = engineWarnings(planOf(latency, { engine: 'hey' }).cells.map(({ load }) => load))
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(/hey charges a stall to what it had sent/)
    expect(lines[2]).toMatch(/steps of 100 µs/)
  })

  it('needs its program, where the client lives', async () => {
    const plan = planOf({ ...config, experiments: { saturation: {} } }, { engine: 'wrk' })
    expect(await missingPrograms(plan, () => Promise.resolve('/usr/bin/wrk'))).toEqual([])
    const [unmet] = await missingPrograms(plan, () => Promise.resolve(undefined))
    expect(unmet).toMatchObject({
      need: 'wrk, which the engine of this name runs',
      found: 'no such program on the PATH',
    })
    const onDocker = (settings: object) => ({
      ...plan,
      config: { ...plan.config, platform: 'docker', platformSettings: { docker: settings } },
    })
    const nothing = () => Promise.resolve(undefined)
    expect(await missingPrograms(onDocker({}), nothing)).toHaveLength(1)
    expect(await missingPrograms(onDocker({ generatorImage: 'own@sha256:…' }), nothing)).toEqual([])
    expect(await missingPrograms(planOf(config), () => Promise.resolve(undefined))).toEqual([])
  })
})
