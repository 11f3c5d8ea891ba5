import { expect, test } from 'vitest'
import { catalogue } from '../cli/catalogue.js'
import { experiments } from '../../scenarios/experiments/index.js'
import { catalogueOn } from '../testing/catalogue.js'
import type { UserConfig } from '../config.js'
import { resolveConfig } from '../config/resolve-config.js'
import { environmentRequests, makePlan, visitsOf } from './plan.js'
import { defined } from '../model/defined.js'

const user: UserConfig = {
  arms: { reference: ['baseline', 'l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'] },
  experiments: { latency: { ratesPerSecond: [500, 1000] }, saturation: { rounds: 2 } },
  rounds: { min: 5, max: 5 },
}
const planOf = (overrides = {}, config = user) => makePlan(resolveConfig(config, overrides), catalogue)

test('every run measures the baseline twice', () => {
  const { arms } = planOf()
  expect(arms.map(({ id }) => id)).toEqual([
    'none/baseline',
    'none/baseline-twin',
    'reference/l4-only',
    'reference/l7-sidecar-to-sidecar',
    'reference/l4-l7-l4',
    'reference/l7-per-node',
  ])
  expect(arms.map(({ role }) => role).slice(0, 3)).toEqual(['baseline', 'twin', 'subject'])
})

test('what is named twice is measured once', () => {
  const twice: UserConfig = {
    ...user,
    arms: { reference: ['l4-only', 'l4-only'] },
    experiments: { latency: { ratesPerSecond: [500, 1000, 500] } },
  }
  const once: UserConfig = { ...twice, arms: { reference: ['l4-only'] } }
  const cellsOf = (config: UserConfig, overrides = {}) => planOf(overrides, config).cells.map(({ id }) => id)
  expect(cellsOf(twice)).toEqual(cellsOf(once))
  expect(new Set(cellsOf(twice)).size).toBe(2 * 3)
  expect(cellsOf(once, { rate: [500, 500] })).toHaveLength(3)
})

test('a plan that would measure a cell twice is refused', () => {
  const { latency } = experiments
  const loads = (settings: unknown) => {
    const own = latency.loads(settings as never)
    return [...own, ...own]
  }
  const twice = { ...catalogue, experiments: { ...experiments, latency: { loads } } }
  expect(() => makePlan(resolveConfig(user), twice)).toThrow(
    'the plan would measure latency|none/baseline|500/s',
  )
})

test('every round has every arm once under every load, in an order that changes', () => {
  const { order, cells, arms } = planOf()
  const cellOf = new Map(cells.map((cell) => [cell.id, cell]))
  const orders = new Set<string>()
  for (let round = 0; round < 5; round++) {
    const group = order
      .filter((trial) => trial.round === round)
      .map((trial) => cellOf.get(trial.cell))
      .filter((cell) => cell?.loadLabel.startsWith('500/s'))
    expect(new Set(group.map((cell) => cell?.arm))).toEqual(new Set(arms.map(({ id }) => id)))
    expect(group).toHaveLength(arms.length)
    orders.add(group.map((cell) => cell?.arm).join())
  }
  expect(orders.size).toBeGreaterThan(1)
  expect(order.map(({ index }) => index)).toEqual(order.map((_, index) => index))
})

test('ten thousand rounds are planned, and so many that they would take weeks are refused', () => {
  const many = { ...user, experiments: { latency: { ratesPerSecond: [250, 500, 1000, 2000] } } }
  const { order, estimateMs } = planOf({ rounds: 10_000 }, many)
  expect(order).toHaveLength(10_000 * 4 * 6)
  expect(estimateMs).toBeGreaterThan(0)
  expect(() => planOf({ rounds: 1_000_000 }, many)).toThrow('the plan has 24000000 trials')
})

test('an experiment may take part in fewer rounds', () => {
  const { order } = planOf()
  const saturationRounds = order
    .filter(({ cell }) => cell.startsWith('saturation|'))
    .map(({ round }) => round)
  expect(Math.max(...saturationRounds)).toBe(1)
})

test('one config gives one plan, another seed another order of the same trials', () => {
  expect(planOf().hash).toBe(planOf().hash)
  const other = planOf({ seed: 2 })
  expect(other.hash).not.toBe(planOf().hash)
  expect(other.order.map(({ cell }) => cell).sort()).toEqual(
    planOf()
      .order.map(({ cell }) => cell)
      .sort(),
  )
  expect(other.order).not.toEqual(planOf().order)
})

test('where a plan is written does not change it', () => {
  expect(planOf({ outDir: 'elsewhere' }).hash).toBe(planOf().hash)
})

test('on one machine all arms share an environment', () => {
  const [request, ...others] = environmentRequests(planOf())
  expect(others).toEqual([])
  expect(request?.arms).toHaveLength(6)
})

test('where each mesh has its own cluster, each cluster has its own baseline and twin', () => {
  const plan = makePlan(resolveConfig(user), catalogueOn({ environments: 'per-mesh' }))
  expect(plan.arms.map(({ id, baseline }) => [id, baseline]).slice(0, 3)).toEqual([
    ['reference/baseline', 'reference/baseline'],
    ['reference/baseline-twin', 'reference/baseline'],
    ['reference/l4-only', 'reference/baseline'],
  ])
})

test('the estimate counts what the platform takes, for each environment, arm, hop and trial', () => {
  const none = { environmentMs: 0, armMs: 0, hopMs: 0, trialMs: 0, trialHopMs: 0 }
  const estimateWith = (times: Partial<typeof none>) =>
    makePlan(resolveConfig(user), catalogueOn({ times: { ...none, ...times } })).estimateMs
  const load = estimateWith({})
  const { arms, order } = planOf()
  expect(estimateWith({ environmentMs: 7 }) - load).toBe(7)
  expect(estimateWith({ armMs: 7 }) - load).toBe(7 * arms.length)
  expect(estimateWith({ trialMs: 7 }) - load).toBe(7 * order.length)
  const hops = (estimateWith({ hopMs: 7 }) - load) / 7
  expect(hops).toBeGreaterThan(arms.length)
  expect(estimateWith({ trialHopMs: 7 }) - load).toBe(7 * hops * order.length)
})

test('with blocks, clusters take turns in seeded order, and every trial is there once', () => {
  const config = {
    ...user,
    arms: { reference: ['l4-only'], haproxy: ['l7-per-node'], nginx: ['l7-per-node'] },
  }
  const planWith = (blocks?: number) =>
    makePlan(
      resolveConfig({
        ...config,
        rounds: { min: 7, max: 7, ...defined({ blocks }) },
      }),
      catalogueOn({ environments: 'per-mesh', times }),
    )
  const times = { environmentMs: 1e9, armMs: 0, hopMs: 0, trialMs: 0 }
  const [plain, blocked] = [planWith(), planWith(3)]
  const ids = visitsOf(blocked).map(({ request }) => request.id)
  expect(visitsOf(plain)).toHaveLength(3)
  // Two turns may meet at a block's edge: then the cluster simply stays up.
  expect(ids.length).toBeGreaterThanOrEqual(7)
  expect(new Set(ids).size).toBe(3)
  const cellsOf = ({ order }: typeof plain) => order.map(({ cell, round }) => `${round} ${cell}`).sort()
  expect(cellsOf(blocked)).toEqual(cellsOf(plain))
  expect(blocked.order.map(({ index }) => index)).toEqual(blocked.order.map((_, index) => index))
  // Rounds stay whole: what is compared within a round is measured in one stay.
  const stays = visitsOf(blocked).flatMap(({ request, trials }) =>
    [...new Set(trials.map(({ round }) => round))].map((round) => `${request.id} ${round}`),
  )
  expect(new Set(stays).size).toBe(stays.length)
  expect(Math.floor(blocked.estimateMs / 1e9)).toBe(ids.length)
})

test('with blocks, an environment that is the only one comes up anew for each, with the same trials in the same order', () => {
  const planWith = (blocks?: number) =>
    makePlan(
      resolveConfig({
        ...user,
        arms: { reference: ['l4-only'] },
        rounds: { min: 7, max: 7, ...defined({ blocks }) },
      }),
      catalogueOn({ times: { environmentMs: 1e9, armMs: 0, hopMs: 0, trialMs: 0 } }),
    )
  const [plain, blocked] = [planWith(), planWith(3)]
  const roundsIn = (plan: typeof plain) =>
    visitsOf(plan).map(({ trials }) => [...new Set(trials.map(({ round }) => round))])
  expect(roundsIn(plain)).toEqual([[0, 1, 2, 3, 4, 5, 6]])
  expect(roundsIn(blocked)).toEqual([
    [0, 1],
    [2, 3, 4],
    [5, 6],
  ])
  expect(blocked.order).toEqual(plain.order)
  expect([plain, blocked].map(({ estimateMs }) => Math.floor(estimateMs / 1e9))).toEqual([1, 3])
})

test('units of L7 stand beside the arm’s own hops, as many as the largest step has, on every path', () => {
  const config: UserConfig = {
    arms: { reference: ['l4-l7-l4', 'l7-sidecar-to-sidecar', 'l4-only'] },
    experiments: { 'scale-out': { units: [1, 2, 3] }, footprint: { replicas: [1, 2, 3] } },
  }
  const plan = planOf({}, config)
  const [environment] = environmentRequests(plan)
  const copiesOf = (arm: string) =>
    environment?.arms.flatMap(({ copy }) => (copy?.of === `reference/${arm}` ? [copy.which] : []))
  expect(copiesOf('l4-l7-l4')).toEqual(['unit-1', 'unit-2', 'unit-3'])
  expect(new Set(copiesOf('l7-sidecar-to-sidecar'))).toEqual(new Set(['unit-1', 'unit-2', 'unit-3', 2, 3]))
  // It has no L7.
  expect(copiesOf('l4-only')).toEqual([])
  expect(plan.cells.some(({ arm, units }) => arm.startsWith('none/') && units)).toBe(false)
})

test('a baseline, of which nothing starts, is measured once beside the loads of startup', () => {
  const { cells } = planOf({}, { ...user, experiments: { startup: {} } })
  const loadsOf = (arm: string) => cells.filter((cell) => cell.arm === arm).length
  expect([loadsOf('none/baseline'), loadsOf('none/baseline-twin')]).toEqual([1, 1])
  const subjects = cells.map(({ arm }) => arm).filter((arm) => !arm.startsWith('none/'))
  for (const arm of subjects) expect(loadsOf(arm)).toBe(3)
})

test('units of L7 are refused where a platform has none', () => {
  const config: UserConfig = { ...user, platform: 'kind', experiments: { 'scale-out': {} } }
  expect(() => planOf({}, config)).toThrow('scale-out needs hops that can be had any number of times')
  for (const platform of ['local', 'netns', 'docker'] as const)
    expect(planOf({}, { ...config, platform }).cells.some(({ units }) => units)).toBe(true)
})

test('what ends, pauses or starts hops is refused where a platform cannot, before anything is started', () => {
  for (const experiment of ['blast-radius', 'startup', 'pauses', 'first-packet', 'control-plane'] as const) {
    const config: UserConfig = { ...user, experiments: { [experiment]: {} } }
    const planFor = (platform: 'kubernetes' | 'kind' | 'docker' | 'netns') => () =>
      planOf({}, { ...config, platform })
    expect(planFor('kubernetes')).toThrow(`${experiment} ends, pauses or starts hops: kubernetes cannot`)
    for (const platform of ['kind', 'docker', 'netns'] as const) expect(planFor(platform)).not.toThrow()
  }
  // A neighbour and copies at rest need none of it.
  for (const experiment of ['isolation', 'footprint', 'modes'] as const)
    expect(
      planOf({}, { ...user, platform: 'kubernetes', experiments: { [experiment]: {} } }).cells,
    ).not.toEqual([])
})

test('windows are longer where a start takes long, for every arm alike', () => {
  const durations = (platform: 'kind' | 'local', experiment: string) => {
    const { cells } = planOf({}, { ...user, platform, experiments: { [experiment]: {} } })
    return [...new Set(cells.map(({ load: { durationMs } }) => durationMs))]
  }
  const [local = 0] = durations('local', 'startup')
  expect(durations('kind', 'startup')).toEqual([local + 4000])
  expect(durations('kind', 'pauses')).toEqual(durations('local', 'pauses'))
})

test('a neighbour on hops of its own is asked of no mesh that has one program for all of a node', () => {
  const arms = { 'istio-ambient': ['l4-only', 'l4-l7-l4'] }
  const config = { ...user, platform: 'kind', arms, experiments: { isolation: {} } } as UserConfig
  const withSpare = planOf({}, config).cells.filter((cell) =>
    JSON.stringify(cell.script ?? []).includes('spare'),
  )
  expect(withSpare.map(({ arm }) => arm)).toEqual(['istio-ambient/l4-l7-l4'])
})
