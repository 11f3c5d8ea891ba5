import { expect, test } from 'vitest'
import { defineConfig, type UserConfig } from './config.js'
import { claimIds, claims } from './analyze/claims/claims.js'
import { catalogue } from './cli/catalogue.js'
import { makePlan } from './plan/plan.js'
import { resolveConfig } from './config/resolve-config.js'
import { UserError } from './model/errors.js'
import { experimentNamed } from '../scenarios/registry.js'

const minimal: UserConfig = { arms: { reference: ['l4-only', 'l4-l7-l4'] } }

function problemsOf(input: unknown, overrides = {}): string {
  try {
    resolveConfig(input, overrides)
  } catch (error) {
    expect(error).toBeInstanceOf(UserError)
    return (error as UserError).message
  }
  throw new Error('the config was accepted')
}

test('a minimal config gets every default of the quick profile', () => {
  const config = resolveConfig(minimal)
  expect(config).toMatchObject({ seed: 1, platform: 'local', profile: 'quick', rounds: { min: 6, max: 9 } })
  expect(config.experiments.latency).toMatchObject({
    ratesPerSecond: [1000],
    connections: 16,
    payloadBytes: 1024,
  })
  expect(JSON.parse(JSON.stringify(config))).toEqual(config)
})

test.each([
  [{ max: 4, min: 2 }, { blocks: 6 }, '--blocks: 6 is more than rounds.max, 4; a block is a round at least'],
  [{}, { blocks: 6, rounds: 5 }, '--blocks: 6 is more than --rounds, 5; a block is a round at least'],
  [{ blocks: 6 }, { rounds: 5 }, '--rounds: 5 is less than rounds.blocks, 6; a block is a round at least'],
])('blocks beyond the rounds are blamed on what was typed: %j with %j', (rounds, flags, problem) => {
  expect(problemsOf({ ...minimal, rounds }, flags)).toBe(`the command line has a problem:\n  - ${problem}`)
})

test('a rate that a window cannot hold is told without the digits of a division', () => {
  const latency = { ratesPerSecond: [5], durationMs: 300 }
  expect(problemsOf({ ...minimal, experiments: { latency } })).toContain(
    'experiments.latency: 5 requests per second are 1.5 in a window of 300 ms, of which 2 would be sent; allowed: 6.67 per second,',
  )
})

test('a password in a URL and a private key are refused wherever they stand, and not shown', () => {
  const hidden = 'hunter2'
  const filter = { pem: `-----BEGIN PRIVATE KEY-----${hidden}` }
  const variant = { name: 'v', source: 'typed', builds: {}, settings: { proxy: { filters: [filter] } } }
  const message = problemsOf(
    {
      ...minimal,
      platformSettings: { kind: { mirrors: { 'docker.io': `https://me:${hidden}@mirror.example/hub` } } },
      meshSettings: {
        'istio-ambient': { mirrors: { 'https://get.helm.sh': `https://:${hidden}@m.example` } },
      },
    },
    { variants: [variant] },
  )
  expect(message).toMatch(/platformSettings\.kind\.mirrors\.docker\.io: .*URL with a password/)
  expect(message).toMatch(/meshSettings\.istio-ambient\.mirrors\.https:\/\/get\.helm\.sh: /)
  expect(message).toMatch(/variants\[0\]\.settings\.proxy\.filters\[0\]\.pem: a private key/)
  expect(message).not.toContain(hidden)
})

test.each(claimIds)('the command that decides %s is one that makes a plan of what has data on it', (id) => {
  const words = claims[id].flags.split(' ')
  const valuesOf = (flag: string) => {
    const rest = words.slice(words.indexOf(flag) + 1)
    const end = rest.findIndex((word) => word.startsWith('--'))
    return words.includes(flag) ? rest.slice(0, end < 0 ? undefined : end) : []
  }
  const [platform] = valuesOf('--platform')
  const [arms, asked] = [valuesOf('--arm'), valuesOf('--experiment')]
  const overrides = { arm: arms, experiment: asked, ...(platform === undefined ? {} : { platform }) }
  const { cells } = makePlan(resolveConfig(minimal, overrides), catalogue)
  for (const experiment of asked) expect(experimentNamed(experiment)?.claims).toContain(id)
  for (const arm of arms) {
    const measured = new Set(cells.filter((cell) => cell.arm === arm).map((cell) => cell.experiment))
    expect([...measured].sort()).toEqual([...asked].sort())
  }
})

test('all problems are told at once, each with its path, the value and what is allowed', () => {
  const message = problemsOf({
    sed: 3,
    platform: 'lokal',
    arms: { reference: ['l4-onyl'] },
    rounds: { min: -1 },
    thresholds: [{ metric: 'latency.response', arm: 'reference/l4-only', max: 1 }],
  })
  expect(message).toContain('unknown key "sed"')
  expect(message).toMatch(/platform: "lokal" is not allowed; did you mean local\? Allowed: .*local/)
  expect(message).toContain(
    'arms.reference[0]: "l4-onyl" is not allowed; did you mean l4-only? Allowed: baseline, l4-only',
  )
  expect(message).toContain('rounds.min: -1')
  expect(message).toContain('thresholds[0].percentile: needed for latency')
  expect(message).toContain('thresholds[0].absolute: absolute figures do not travel')
})

test('a key that is unknown hides nothing else', () => {
  const message = problemsOf(
    {
      sed: 3,
      arms: { reference: ['l4-only', 'ingress-alone'] },
      rounds: { min: 5, max: 4 },
      experiments: { latency: { conections: 3 } },
    },
    { mesh: ['refrence'] },
  )
  expect(message).toMatch(/^bench.config.ts and the command line have 4 problems:/)
  for (const part of ['unknown key "sed"', 'unknown key "conections"', 'rounds.max: 4', '--mesh: "refrence"'])
    expect(message).toContain(part)
})

test('what was typed is blamed on the command line, with the name that was meant', () => {
  expect(problemsOf(minimal, { mesh: ['istoi-sidecar'] })).toMatch(
    /^the command line has a problem:\n {2}- --mesh: "istoi-sidecar" is unknown; did you mean istio-sidecar\?/,
  )
  expect(problemsOf(minimal, { engine: 'wkr' })).toContain('--engine: "wkr" is unknown; did you mean wrk?')
  expect(problemsOf(minimal, { arm: ['reference/l4-only/zzz'] })).toContain(
    '"reference/l4-only/zzz" is unknown',
  )
})

test('a path of a mesh that is named is accepted where it is offered, whatever the config has of that mesh', () => {
  const config = { arms: { cilium: ['l4-kernel'] }, platform: 'kind' }
  expect(resolveConfig(config, { mesh: ['cilium'] }).arms).toEqual({ cilium: ['l4-kernel'] })
  expect(resolveConfig(config, { mesh: ['cilium'], arm: ['l7-per-node'] }).arms).toEqual({
    cilium: ['l7-per-node'],
  })
})

test('a rate that was typed is blamed where it was typed, and told when no experiment takes it', () => {
  expect(problemsOf(minimal, { rate: [1e7] })).toMatch(
    /^the command line has a problem:\n {2}- --rate: 10000000 is not allowed; needed: at most 1000000$/,
  )
  expect(problemsOf(minimal, { rate: [100], experiment: ['capacity'] })).toContain(
    '--rate: without effect on capacity; it is for --experiment latency',
  )
})

test.each([
  [{}, 'arms: it is missing; needed: an object'],
  [{ ...minimal, seed: 1.5 }, 'seed: 1.5 is not allowed; needed: a whole number'],
  [{ ...minimal, seed: NaN }, 'seed: NaN is not allowed; needed: a number'],
  [{ ...minimal, seed: 1n }, 'seed: 1n is not allowed; needed: a number'],
  [{ ...minimal, outDir: '' }, 'outDir: "" is not allowed; needed: at least something in it'],
  [
    { ...minimal, rounds: { budgetMinutes: 0 } },
    'rounds.budgetMinutes: 0 is not allowed; needed: more than 0',
  ],
  [
    { ...minimal, experiments: { latency: { ratesPerSecond: 1000 } } },
    'experiments.latency.ratesPerSecond: 1000 is not allowed; needed: a list',
  ],
  [
    { ...minimal, experiments: { capacity: { slo: { percentile: 95 } } } },
    'experiments.capacity.slo.percentile: 95 is not allowed; allowed: 50, 90, 99, 99.9',
  ],
])('what is needed is said in the words of a config: %o', (config, problem) => {
  expect(problemsOf(config)).toContain(problem)
})

const onL4 = { arm: 'reference/l4-only' }
test.each([
  [
    { ...onL4, metric: 'errors.share', relativeTo: 'none/baseline', max: 1 },
    'relativeTo: arms are not compared by errors.share',
  ],
  [
    { ...onL4, metric: 'cpu.per1000Requests', relativeTo: 'reference/l4-only', max: 1 },
    'relativeTo: an arm is as much as itself',
  ],
  [{ ...onL4, metric: 'errors.share', min: 2, max: 1 }, 'min: 2 is more than max, 1'],
  [
    { ...onL4, metric: 'cpu.per1000Requests', percentile: 99, max: 1, absolute: true },
    'percentile: cpu.per1000Requests has none',
  ],
  [{ ...onL4, metric: 'errors.share', max: 0, experiment: 'stream' }, 'experiment: "stream" is not measured'],
])('a threshold that could never be judged is refused: %o', (threshold, problem) => {
  expect(problemsOf({ ...minimal, thresholds: [threshold] })).toContain(`thresholds[0].${problem}`)
})

test('a rate of which a window cannot hold what is asked for is refused with one that it can', () => {
  const latency = { durationMs: 1_000 }
  const problem = problemsOf({ ...minimal, experiments: { latency } }, { rate: [0.5] })
  expect(problem).toContain(
    '--rate: 0.5 requests per second are 0.5 in a window of 1000 ms, of which 1 would be sent',
  )
  expect(problem).toContain('allowed: 1 per second')
  expect(resolveConfig({ ...minimal, experiments: { latency } }, { rate: [333.4] })).toBeDefined()
})

test('settings under which an experiment could measure nothing are refused', () => {
  const problemOf = (name: string, settings: object) =>
    problemsOf({ ...minimal, experiments: { [name]: settings } })
  expect(problemOf('pauses', { everyMs: 30_000, pauseMs: 200 })).toContain(
    'experiments.pauses.everyMs: half of it passes before the first pause',
  )
  for (const name of ['footprint', 'blast-radius', 'startup', 'first-packet'])
    expect(problemOf(name, { workers: 2 })).toContain(
      `experiments.${name}.workers: more than one cannot tell`,
    )
  expect(resolveConfig({ ...minimal, experiments: { latency: { workers: 2 } } })).toBeDefined()
})

test('functions of an L7 hop leave a path that has none as it is, and are refused where no path has one', () => {
  const settings = { proxy: { filters: { jwt: {} } } }
  const jwt = { name: 'jwt', source: 'jwt', settings, builds: {}, function: 'jwt' }
  expect(problemsOf(minimal, { arm: ['l4-only'], variants: [jwt] })).toContain(
    '--function jwt: no L7 hop is on reference/l4-only',
  )
  const { arms, unvaried } = makePlan(resolveConfig(minimal, { variants: [jwt] }), catalogue)
  expect(arms.filter(({ role }) => role === 'subject').map(({ id }) => id)).toEqual([
    'reference/l4-only',
    'reference/l4-l7-l4',
    'reference/l4-l7-l4@jwt',
  ])
  expect(unvaried).toEqual([
    { arm: 'reference/l4-only', variant: 'jwt', why: 'no L7 hop is on reference/l4-only' },
  ])
})

test('settings of an experiment are checked with their path', () => {
  const message = problemsOf({
    ...minimal,
    experiments: { latency: { ratesPerSecond: [100, -5], conections: 3 } },
  })
  expect(message).toContain('experiments.latency.ratesPerSecond[1]: -5')
  expect(message).toContain('experiments.latency: unknown key "conections"')
})

test('a profile named by flag overrides the timing of the config, one named in the config lies under it', () => {
  const own = { ...minimal, rounds: { min: 4, max: 5 }, experiments: { latency: { durationMs: 9000 } } }
  expect(resolveConfig(own)).toMatchObject({
    rounds: { min: 4, max: 5 },
    experiments: { latency: { durationMs: 9000 } },
  })
  const smoke = resolveConfig(own, { profile: 'smoke' })
  expect(smoke).toMatchObject({ rounds: { min: 2, max: 2 }, experiments: { latency: { durationMs: 400 } } })
})

test('flags choose arms by full name, by path and by mesh', () => {
  expect(resolveConfig(minimal, { arm: ['reference/l7-per-node'] }).arms).toEqual({
    reference: ['l7-per-node'],
  })
  expect(resolveConfig(minimal, { arm: ['l4-only'] }).arms).toEqual({ reference: ['l4-only'] })
  expect(resolveConfig(minimal, { mesh: ['reference'] }).arms).toEqual({
    reference: ['l4-only', 'l4-l7-l4'],
  })
  expect(problemsOf(minimal, { arm: ['reference/l5'] })).toContain('--arm: "reference/l5" is unknown')
})

test('flags change rounds, rates and seed', () => {
  const config = resolveConfig(minimal, { rounds: 2, rate: [50, 60], seed: 9 })
  expect(config).toMatchObject({ seed: 9, rounds: { min: 2, max: 2 } })
  expect(config.experiments.latency).toMatchObject({ ratesPerSecond: [50, 60] })
})

test('a threshold on an arm that is not measured is a problem', () => {
  const thresholds = [{ metric: 'errors.share', arm: 'reference/l7-per-node', max: 0 }]
  expect(problemsOf({ ...minimal, thresholds })).toContain(
    'thresholds[0].arm: "reference/l7-per-node" is not measured',
  )
})

test('typos in names do not compile', () => {
  // @ts-expect-error no such path
  defineConfig({ arms: { reference: ['l4-onyl'] } })
  // @ts-expect-error no such mesh
  defineConfig({ arms: { refrence: ['l4-only'] } })
  // @ts-expect-error no such setting
  defineConfig({ arms: {}, experiments: { latency: { conections: 1 } } })
  // @ts-expect-error no such arm
  defineConfig({ arms: {}, thresholds: [{ metric: 'errors.share', arm: 'reference/l4-onyl', max: 0 }] })
  // @ts-expect-error no such limit
  defineConfig({ arms: {}, validity: { maxErorShare: 0 } })
  expect(defineConfig(minimal)).toBe(minimal)
})

test('a setting that a mesh or a platform does not have is refused with what was there and what there is', () => {
  const input = {
    ...minimal,
    meshSettings: { reference: { tunnel: { pool: { maxStreams: 3 } } }, cilium: { huble: false } },
    platformSettings: { local: { pins: {} }, kind: { workers: 9 } },
  }
  const problems = problemsOf(input)
  expect(problems).toContain(
    'meshSettings.reference.tunnel.pool: unknown key "maxStreams" (3); allowed: maxStreamsPerConnection,',
  )
  expect(problems).toMatch(/meshSettings\.cilium: unknown key "huble" \(false\); allowed: .*hubble/)
  expect(problems).toContain('platformSettings.local: unknown key "pins" ({}); allowed: pin')
  expect(problems).toMatch(/platformSettings\.kind\.workers: 9 is not allowed; needed: at most 3/)
})

test('a flag of one platform is laid over its settings, and refused on another', () => {
  const input = { ...minimal, platformSettings: { kind: { workers: 2 } } }
  const config = resolveConfig(input, { platform: 'kind', platformFlags: { keep: true } })
  expect(config.platformSettings).toEqual({ kind: { workers: 2, keep: true } })
  expect(problemsOf(minimal, { platform: 'docker', platformFlags: { reuse: true } })).toContain(
    '--reuse: nothing on platform docker; it is for --platform kind',
  )
})
