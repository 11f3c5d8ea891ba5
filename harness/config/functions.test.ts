import { describe, expect, it } from 'vitest'
import { catalogue } from '../cli/catalogue.js'
import type { Path, Variant } from '../model.js'
import { makePlan } from '../plan/plan.js'
import { functionFlags, resolveVariants } from './variant-sources.js'
import { unvariedLines } from '../model/plan.js'
import { whyNotVaried } from './varying.js'
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
import { configOf } from '../testing/variants.js'

const { 'l7-per-node': l7PerNode, 'l4-only': l4Only } = paths

/** Functions of the hops of one layer; the others are of the legs between hops, and of the kernel. */
const ofHops = functionNames.filter((name) =>
  ['proxy', 'tunnel'].some((program) => program in functions[name].settings),
)

describe('--function', () => {
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
    const config = (layer === 'l4' ? tunnelConfig : proxyConfig)(spec as HopSpec, testPlacement())
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
})
