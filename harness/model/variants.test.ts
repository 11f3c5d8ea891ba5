import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { catalogue } from '../cli/catalogue.js'
import { resolveConfig, type ConfigOverrides } from '../config/resolve-config.js'
import { UserError } from './errors.js'
import type { Path, Variant } from '../model.js'
import { makePlan } from '../plan/plan.js'
import { functionFlags, resolveVariants } from '../config/variant-sources.js'
import { unvariedLines } from './plan.js'
import { settingsOf, variantBuilds } from './variants.js'
import { whyNotVaried } from '../config/varying.js'
import { proxySchema, verifyProxy } from '../../infra/images/proxy/config.js'
import { tunnelSchema } from '../../infra/images/tunnel/config.js'
import { envoyFunctionNames } from '../../infra/meshes/envoy/functions.js'
import { renderHop } from '../../infra/meshes/envoy/hop.js'
import type { HopSpec } from '../../infra/meshes/hops/hop-spec.js'
import type { HopSettings } from '../../infra/meshes/hops/settings.js'
import { hopSpecs, testPlacement } from '../../infra/meshes/hops/testing.js'
import { meshes } from '../../infra/meshes/index.js'
import { platforms } from '../../infra/platforms/index.js'
import { proxyConfig, tunnelConfig } from '../../infra/meshes/reference/config.js'
import { functionNames, functions, type MeshFunction } from '../../scenarios/functions.js'
import { paths } from '../../scenarios/paths/index.js'
import { testRequest } from '../testing/request.js'

const { 'l7-per-node': l7PerNode, 'l4-only': l4Only } = paths

const input = {
  arms: { reference: ['l7-per-node'] },
  experiments: { latency: {} },
  meshSettings: { reference: { proxy: { filters: { burn: { cpuUs: 5 }, health: {} } } } },
}
const configOf = (overrides: ConfigOverrides, more: object = {}) =>
  resolveConfig({ ...input, ...more }, overrides)
const unchanged = (name: string): Variant => ({ name, source: 'as configured', settings: {}, builds: {} })
const sha256 = 'a'.repeat(64)

/** Functions of the hops of one layer; the others are of the legs between hops, and of the kernel. */
const ofHops = functionNames.filter((name) =>
  ['proxy', 'tunnel'].some((program) => program in functions[name].settings),
)

async function refusal(flag: string): Promise<string> {
  return resolveVariants([flag]).then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof UserError) return error.message
      throw error
    },
  )
}

describe('--variant', () => {
  it('reads settings, with values as JSON has them', async () => {
    const [variant] = await resolveVariants([
      'b=set:proxy.filters.burn.cpuUs=50,tunnel.pool.maxStreamsPerConnection=10',
    ])
    expect(variant?.settings).toEqual({
      proxy: { filters: { burn: { cpuUs: 50 } } },
      tunnel: { pool: { maxStreamsPerConnection: 10 } },
    })
  })

  it.each<[text: string, settings: unknown]>([
    ['proxy.split=[{"weight":9},{"weight":1}]', { proxy: { split: [{ weight: 9 }, { weight: 1 }] } }],
    [
      'proxy.zones=[{"name":"near"},{"name":"far"}],proxy.filters.locality.local=near,tunnel.ports=[80, 8080]',
      {
        proxy: { zones: [{ name: 'near' }, { name: 'far' }], filters: { locality: { local: 'near' } } },
        tunnel: { ports: [80, 8080] },
      },
    ],
    [
      'clusters={"a.b":{"host":"10.0.0.1","port":80}}',
      { clusters: { 'a.b': { host: '10.0.0.1', port: 80 } } },
    ],
    ['clusters.near-by.port=80', { clusters: { 'near-by': { port: 80 } } }],
    ['proxy.filters.jwt.issuer="a,b"', { proxy: { filters: { jwt: { issuer: 'a,b' } } } }],
    ['proxy={"workers":2},capture=none', { proxy: { workers: 2 }, capture: 'none' }],
  ])('reads %s', async (text, settings) => {
    expect((await resolveVariants([`a=set:${text}`]))[0]?.settings).toEqual(settings)
  })

  it('can set whatever the reference mesh has', async () => {
    const shape = meshes.reference.settings as z.ZodObject
    const paths = Object.entries(shape.shape).flatMap(([key, schema]) => {
      const inner = (schema as z.ZodOptional).unwrap()
      return inner instanceof z.ZodObject ? Object.keys(inner.shape).map((name) => `${key}.${name}`) : [key]
    })
    expect(paths).toEqual(expect.arrayContaining(['capture', 'proxy.split', 'tunnel.ports']))
    for (const path of paths) expect(await refusal(`a=set:${path}={}`)).toBe('accepted')
  })

  it('turns a function on, by itself', async () => {
    const [variant] = await resolveVariants(['slow=function:jwt'])
    expect(variant).toMatchObject({ name: 'slow', function: 'jwt', builds: {} })
    expect(Object.keys((variant?.settings.proxy as { filters: object }).filters)).toEqual(['jwt'])
    await expect(resolveVariants(['a=function:juggle'])).rejects.toThrow(/"juggle"; there are .*jwt/)
    expect(functionFlags(['retry', 'jwt'])).toEqual(['retry=function:retry', 'jwt=function:jwt'])
    expect(functionFlags(['all'])).toHaveLength(functionNames.length)
  })

  it.each(ofHops)('%s is as the reference mesh wants it, on the hops of one layer', async (name) => {
    const { settings }: MeshFunction = functions[name]
    const [variant] = await resolveVariants([`a=function:${name}`])
    expect(variant?.settings).toEqual(settings)
    expect(meshes.reference.settings?.safeParse(settings).error).toBeUndefined()
    expect(Object.keys(settings)).toHaveLength(1)
    const layer = 'tunnel' in settings ? 'l4' : 'l7'
    const paths = [...new Set(meshes.reference.paths)].map((path) => catalogue.paths[path] as Path)
    for (const path of paths.filter(({ hops }) => hops.every((hop) => hop.layer !== layer)))
      expect(whyNotVaried(variant as Variant, meshes.reference, path, platforms.local)).toMatch(
        /^no L[47] hop is on/,
      )
    const [path] = paths.filter(({ hops }) => hops.some((hop) => hop.layer === layer))
    expect(whyNotVaried(variant as Variant, meshes.reference, path as Path, platforms.local)).toBeUndefined()
    const spec = hopSpecs('reference', path as Path, settings as HopSettings).find(
      ({ hop }) => hop.layer === layer,
    )
    const config = (layer === 'l4' ? tunnelConfig : proxyConfig)({
      ...{ ...(spec as HopSpec), placement: testPlacement() },
    })
    const schema = layer === 'l4' ? tunnelSchema : proxySchema
    const { error } = schema.safeParse(config)
    expect(error).toBeUndefined()
    if (layer === 'l7') verifyProxy(proxySchema.parse(config))
  })

  it.each(ofHops)('%s is rendered for Envoy, or the plan says that Envoy has it not', async (name) => {
    const { settings }: MeshFunction = functions[name]
    const [variant] = await resolveVariants([`a=function:${name}`])
    const isTunnel = 'tunnel' in settings
    const path = isTunnel ? l4Only : l7PerNode
    const why = whyNotVaried(variant as Variant, meshes.envoy, path, platforms.local)
    const used = 'proxy' in settings ? Object.keys((settings.proxy.filters as object | undefined) ?? {}) : []
    const lacks = used.some((filter) => !envoyFunctionNames.some((known) => known === filter))
    if (lacks || (isTunnel && 'connectionMetrics' in settings.tunnel))
      return expect(why).toMatch(/^of envoy: /)
    expect(why).toBeUndefined()
    const spec = hopSpecs('envoy', path, settings as HopSettings).at(-1) as HopSpec
    expect(renderHop(spec, testPlacement())).not.toEqual(
      renderHop({ ...spec, settings: {} }, testPlacement()),
    )
  })

  it('a mix of vendors lets be set what its tunnel has', () => {
    const pool = { tunnel: { pool: { multiplex: false } } }
    expect(meshes['tunnel+envoy'].settings?.safeParse(pool).success).toBe(true)
    expect(meshes['envoy+proxy'].settings?.safeParse(pool).success).toBe(false)
    for (const mesh of ['tunnel+envoy', 'envoy+proxy'] as const)
      expect(meshes[mesh].settings?.safeParse({ tunnel: { ports: [80] } }).success).toBe(true)
  })

  it('all functions are asked of a path that has not all of them; one that it has not is refused once', async () => {
    const arms = { reference: ['l7-per-node'] }
    const all = await resolveVariants(['plain=unchanged', ...functionFlags(['all'])])
    const plan = makePlan(configOf({ variants: all }, { arms, meshSettings: {} }), catalogue)
    expect(plan.arms.map(({ variant }) => variant)).toContain('jwt')
    expect(plan.arms.map(({ variant }) => variant)).not.toContain('encryption.without')
    const encryption = await resolveVariants(functionFlags(['encryption']))
    expect(() => configOf({ variants: encryption }, { arms, meshSettings: {} })).toThrow(
      '--function encryption: no leg of reference/l7-per-node is encrypted',
    )
  })

  it('what protects legs is measured between arms that differ in it alone, on paths that encrypt', async () => {
    const asked = functionFlags(['encryption', 'mutualAuthentication'])
    const variants = await resolveVariants(['plain=unchanged', ...asked])
    const arms = { reference: ['l4-only', 'l7-per-node'], envoy: ['l7-sidecar-to-sidecar'] }
    const plan = makePlan(configOf({ variants }, { arms, meshSettings: {} }), catalogue)
    for (const id of ['reference/l4-only', 'envoy/l7-sidecar-to-sidecar'])
      expect(
        plan.arms
          .filter((arm) => arm.id.startsWith(`${id}@`))
          .map((arm) => [arm.variant, arm.transport, arm.control]),
      ).toEqual([
        ['plain', undefined, undefined],
        ['encryption.without', 'plain', undefined],
        ['encryption', 'tls', `${id}@encryption.without`],
        ['mutualAuthentication.without', 'tls', undefined],
        ['mutualAuthentication', undefined, `${id}@mutualAuthentication.without`],
      ])
    expect(unvariedLines(plan)).toEqual([
      `reference/l7-per-node as it is, not @${variants
        .slice(1)
        .map(({ name }) => name)
        .join(', @')}: no leg of reference/l7-per-node is encrypted`,
    ])
    const encryptionPlan = makePlan(
      configOf({ variants: variants.slice(1, 3) }, { arms: { reference: ['l4-only'] } }),
      catalogue,
    )
    expect(encryptionPlan.arms.filter(({ role }) => role === 'subject').map(({ id }) => id)).toEqual([
      'reference/l4-only',
      'reference/l4-only@encryption.without',
      'reference/l4-only@encryption',
    ])
    const haproxy = configOf.bind(undefined, { variants }, { arms: { haproxy: ['l7-sidecar-to-sidecar'] } })
    expect(haproxy).toThrow(/haproxy has no setting transport/)
  })

  it('a network policy is of the kernel, with the same kernel without one as its control', async () => {
    const variants = await resolveVariants(functionFlags(['networkPolicy']))
    const arms = { reference: ['l4-only'], nftables: ['l4-kernel'], ebpf: ['l4-kernel'] }
    const plan = makePlan(configOf({ variants }, { arms, meshSettings: {}, platform: 'netns' }), catalogue)
    expect(
      plan.arms.filter(({ role }) => role === 'subject').map(({ id, control }) => [id, control]),
    ).toEqual([
      ['nftables/l4-kernel', undefined],
      ['nftables/l4-kernel@networkPolicy.without', undefined],
      ['nftables/l4-kernel@networkPolicy', 'nftables/l4-kernel@networkPolicy.without'],
      ['reference/l4-only', undefined],
      ['ebpf/l4-kernel', undefined],
    ])
  })

  it('tells in the plan of functions that no arm has, and refuses one that is asked for alone', async () => {
    const asked = ['jwt', 'portAuthorization'].map((name) => `${name}=function:${name}`)
    const plan = makePlan(
      configOf({ variants: await resolveVariants(['plain=unchanged', ...asked]) }),
      catalogue,
    )
    expect(plan.unvaried?.map(({ variant, why }) => [variant, why])).toEqual([
      ['portAuthorization', 'no L4 hop is on reference/l7-per-node'],
    ])
    const alone = await resolveVariants(asked.slice(1))
    expect(() => configOf({ variants: alone })).toThrow(/--function portAuthorization: no L4 hop/)
  })

  it('refuses one that calls a service where the platform raises none, and names those that do', async () => {
    const variants = await resolveVariants(['a=function:externalAuthorization'])
    expect(() => configOf({ variants, platform: 'kind' })).toThrow(
      /it needs a service \(authorizer\), which kind does not raise; docker, local, netns do/,
    )
    expect(configOf({ variants, platform: 'docker' }).variants).toHaveLength(1)
    const request = testRequest({
      config: { meshSettings: { reference: { proxy: { services: { authorizer: {} } } } } },
      arms: makePlan(configOf({}), catalogue).arms,
    })
    const [unmet] = await meshes.reference.check(request, platforms.kind)
    expect(unmet?.need).toContain('meshSettings.reference.proxy.services: authorizer')
    expect(await meshes.reference.check(request, platforms.local)).toEqual([])
  })

  it('keeps bundles of a folder by their content', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'meshbench-bundles-'))
    try {
      writeFileSync(join(folder, 'proxy.mjs'), '// a proxy')
      const [variant] = await resolveVariants([`b=bundles:${folder}`])
      expect(variant?.builds).toEqual({
        proxy: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each([
    ['burn', /the name is not/],
    ['a=fast', /does not say what to vary/],
    ['a=set:proxy.filter.burn=1', /proxy\.filter\.burn is no setting of a hop/],
    ['a=set:burn', /"burn" is not key=value/],
    ['a=set:proxy.splti=[]', /proxy\.splti is no setting of a hop: did you mean split\? proxy has .*zones/],
    ['a=set:proxi.workers=1', /there are .*capture/],
    ['a=set:proxy.split.0.weight=3', /proxy\.split is a list, which is set as a whole/],
    ['a=set:proxy.workers.most=3', /proxy\.workers is one value/],
    ['a=set:proxy.split=[{weight:9},{weight:1}]', /\[\{weight:9\},\{weight:1\}\] is no JSON/],
    ['a=set:proxy.workers=1,proxy.workers=2', /proxy\.workers is set by proxy\.workers already/],
    ['a=set:proxy={"workers":2},proxy.workers=1', /proxy\.workers is set by proxy already/],
    ['a=set:proxy.filters.burn={"__proto__":{}}', /__proto__ is no key of a setting/],
    ['a=set:proxy.filters.burn.__proto__=1', /__proto__ is no key of a setting/],
    [
      'a=set:installed.revision=1-27',
      /installed\.revision is .*of the whole of istio-sidecar, istio-ambient/,
    ],
    ['a=function:juggle', /no function named "juggle"/],
    ['a=image:envoy=x', /"envoy=x" is not proxy=<reference>/],
    ['a=bundles:/nowhere', /neither proxy\.mjs nor tunnel\.mjs is in \/nowhere/],
    ['a=git:--upload-pack', /a git ref is needed/],
  ])('refuses %s', async (flag, message) => {
    expect(await refusal(flag)).toMatch(message)
  })
  it('refuses a name that is there twice', async () => {
    await expect(resolveVariants(['a=unchanged', 'a=unchanged'])).rejects.toThrow('a is there twice')
  })
})

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
