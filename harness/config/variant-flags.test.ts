import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { UserError } from '../model/errors.js'
import { resolveVariants } from './variant-sources.js'
import { meshes } from '../../infra/meshes/index.js'

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
