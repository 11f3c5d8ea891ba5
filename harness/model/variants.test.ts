import { describe, expect, it } from 'vitest'
import { catalogue } from '../cli/catalogue.js'
import type { Variant } from '../model.js'
import { makePlan } from '../plan/plan.js'
import { resolveVariants } from '../config/variant-sources.js'
import { unvariedLines } from './plan.js'
import { settingsOf, variantBuilds } from './variants.js'
import { configOf, input, unchanged } from '../testing/variants.js'

const sha256 = 'a'.repeat(64)

describe('variants', () => {
  it('make arms of their own in every round: one beside the arm as configured, several instead of it', () => {
    const arms = (variants: readonly Variant[]) =>
      makePlan(configOf({ variants }), catalogue)
        .arms.filter(({ role }) => role === 'subject')
        .map(({ id, control }) => [id, control])
    const id = 'reference/l7-per-node'
    expect(arms([unchanged('new')])).toEqual([
      [id, undefined],
      [`${id}@new`, id],
    ])
    expect(arms([unchanged('old'), unchanged('new'), unchanged('newer')])).toEqual([
      [`${id}@old`, undefined],
      [`${id}@new`, `${id}@old`],
      [`${id}@newer`, `${id}@old`],
    ])
    const plan = makePlan(configOf({ variants: [unchanged('old'), unchanged('new')], rounds: 3 }), catalogue)
    const rounds = plan.order.filter(({ cell }) => cell.includes('@new')).map(({ round }) => round)
    expect(new Set(rounds)).toEqual(new Set([0, 1, 2]))
  })

  it('leave an arm that they cannot change as it is, beside those that they can', () => {
    const setting = (name: string, capture: string): Variant => ({
      ...unchanged(name),
      settings: { capture },
    })
    const build = { ...unchanged('build'), builds: { proxy: { sha256 } } }
    const arms = { reference: ['l7-per-node'], nftables: ['l4-kernel'], haproxy: ['l7-per-node'] }
    const plan = (variants: readonly Variant[], thresholds: object[] = []) =>
      makePlan(configOf({ variants }, { arms, thresholds, platform: 'netns' }), catalogue)
    const idsOf = (variants: readonly Variant[]) =>
      plan(variants)
        .arms.filter(({ role }) => role === 'subject')
        .map(({ id, control }) => [id, control])
    const [dialled, captured] = [setting('dialled', 'none'), setting('captured', 'redirect')]
    expect(idsOf([dialled, captured])).toEqual([
      ['nftables/l4-kernel', undefined],
      ['reference/l7-per-node@dialled', undefined],
      ['reference/l7-per-node@captured', 'reference/l7-per-node@dialled'],
      ['haproxy/l7-per-node@dialled', undefined],
      ['haproxy/l7-per-node@captured', 'haproxy/l7-per-node@dialled'],
    ])
    // In the place of a control that cannot change an arm stands the arm as it is.
    expect(idsOf([build, captured]).filter(([id]) => id?.startsWith('haproxy'))).toEqual([
      ['haproxy/l7-per-node', undefined],
      ['haproxy/l7-per-node@captured', 'haproxy/l7-per-node'],
    ])
    expect(unvariedLines(plan([dialled, captured]))).toEqual([
      `nftables/l4-kernel as it is, not ${[dialled, captured].map(({ name }) => `@${name}`).join(', ')}: nftables has no setting capture`,
    ])
    const limits = ['nftables/l4-kernel', 'haproxy/l7-per-node'].map((arm) => ({
      ...{ metric: 'cpu.per1000Requests', max: 2 },
      ...{ arm, relativeTo: 'reference/l7-per-node' },
    }))
    const judged = plan([dialled, captured], limits).config.thresholds
    expect(judged.map(({ arm, relativeTo }) => [arm, relativeTo])).toEqual([
      ['nftables/l4-kernel', 'reference/l7-per-node@dialled'],
      ['haproxy/l7-per-node@captured', 'reference/l7-per-node@captured'],
    ])
  })

  it('lay settings over those of the mesh, key by key, and replace programs', () => {
    const variant: Variant = {
      ...unchanged('b'),
      settings: { proxy: { filters: { burn: { cpuUs: 50 } } } },
      builds: { proxy: { sha256 } },
    }
    const config = configOf({ variants: [variant] })
    const arm = { mesh: 'reference', variant: 'b' }
    expect(settingsOf(config, arm)).toEqual({ proxy: { filters: { burn: { cpuUs: 50 }, health: {} } } })
    expect(settingsOf(config, { mesh: 'reference' })).toEqual(input.meshSettings.reference)
    expect(variantBuilds(config, arm)).toEqual({ proxy: { sha256 } })
    expect(variantBuilds(config, {})).toEqual({})
  })

  it('are refused where the settings that they make are not whole', async () => {
    const problems = async (text: string, meshSettings: object = {}) => {
      const variants = await resolveVariants([`a=set:${text}`])
      const arms = { envoy: ['l7-per-node'] }
      return () => configOf({ variants }, { arms, meshSettings: { envoy: meshSettings } })
    }
    expect(await problems('proxy.split=[{"weight":0},{"weight":1}]')).toThrow(
      '--variant a: of envoy: proxy.split[0].weight: 0',
    )
    expect(await problems('clusters.auth.port=9000')).toThrow(
      '--variant a: of envoy: clusters.auth.host: it is missing; needed: a text',
    )
    const auth = { host: '127.0.0.1', port: 80 }
    expect(await problems('clusters.auth.port=9000', { clusters: { auth } })).not.toThrow()
    expect(await problems('proxy.workers=2')).toThrow('of envoy: proxy: unknown key "workers"')
  })

  it('have every arm send what one of them needs, the baseline too', () => {
    const jwt = { ...unchanged('jwt'), requestHeaders: { authorization: 'Bearer x' } }
    const { cells } = makePlan(configOf({ variants: [unchanged('plain'), jwt] }), catalogue)
    expect(new Set(cells.map(({ load }) => load.headers?.authorization))).toEqual(new Set(['Bearer x']))
    const without = makePlan(configOf({ variants: [unchanged('plain')] }), catalogue)
    expect(without.cells.some(({ load }) => 'headers' in load)).toBe(false)
  })

  it('are refused where the platform or the mesh cannot vary', () => {
    const image: Variant = { ...unchanged('i'), builds: { proxy: { reference: 'proxy:1' } } }
    const bundle: Variant = { ...unchanged('b'), builds: { proxy: { sha256 } } }
    expect(() => configOf({ variants: [image] })).toThrow('local runs no container images')
    expect(() => configOf({ variants: [bundle], platform: 'docker' })).toThrow(
      'by the reference of its image',
    )
    expect(() => configOf({ variants: [bundle] }, { arms: { haproxy: ['l7-per-node'] } })).toThrow(
      'haproxy runs no proxy of this repository',
    )
    const on = (arms: object) => ({ arms, meshSettings: {}, platform: 'kind' })
    const burn: Variant = { ...unchanged('s'), settings: { proxy: { workers: 2 } } }
    expect(() => configOf({ variants: [burn] }, on({ cilium: ['l4-kernel'] }))).toThrow(
      'cilium is the same for all of its arms',
    )
    const istio = on({ 'istio-sidecar': ['l7-sidecar-to-sidecar'] })
    expect(() => configOf({ variants: [burn] }, istio)).toThrow('of istio-sidecar: proxy.workers: ')
    const values: Variant = { ...unchanged('v'), settings: { values: { istiod: {} } } }
    expect(() => configOf({ variants: [values] }, istio)).toThrow(
      'values: the same for all arms of istio-sidecar',
    )
  })

  it('take over the thresholds of the arm whose place they take', () => {
    const thresholds = [{ metric: 'errors.share', arm: 'reference/l7-per-node', max: 0 }]
    const arms = (variants: readonly Variant[]) =>
      configOf({ variants }, { thresholds }).thresholds.map(({ arm }) => arm)
    expect(arms([unchanged('new')])).toEqual(['reference/l7-per-node'])
    expect(arms([unchanged('old'), unchanged('new')])).toEqual(['reference/l7-per-node@new'])
    const named = [{ ...thresholds[0], arm: 'reference/l7-per-node@nwe' }]
    expect(() => configOf({ variants: [unchanged('new')] }, { thresholds: named })).toThrow(
      /thresholds\[0\]\.arm: "reference\/l7-per-node@nwe" is not measured/,
    )
  })
})

describe('the policy of a gate', () => {
  it('is checked before anything runs', () => {
    expect(configOf({}).gate?.inconclusive).toBe('pass')
    expect(configOf({}, { gate: { inconclusive: 'fail' } }).gate).toMatchObject({ inconclusive: 'fail' })
    for (const [gate, message] of [
      [{ inconclusive: 'maybe' }, /gate\.inconclusive: "maybe" is not allowed; allowed: pass, fail/],
      [{ checks: [{ metric: 'cpu.per1000Requests', practical: 0 }] }, /gate\.checks\[0\]\.practical: 0/],
      [
        { checks: [{ metric: 'latency.response', practical: 0.1 }] },
        /gate\.checks\[0\]\.percentile: .*latency needs it/,
      ],
      [{ checks: [] }, /gate\.checks/],
    ] as const)
      expect(() => configOf({}, { gate })).toThrow(message)
  })
})
