import { describe, expect, it } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import { hopSpecs, testPlacement } from '../hops/testing.js'
import { renderHop } from './hop.js'

const names = ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'] as const

/** Regenerate the golden files with `npx vitest run infra/meshes/envoy -u`, and read what changed. */
describe('bootstrap', () => {
  for (const path of names.map((name) => paths[name])) {
    for (const [index, spec] of hopSpecs('envoy', path).entries()) {
      it(`of ${path.name}/${spec.hop.name} is as reviewed`, async () => {
        const text = JSON.stringify(renderHop(spec, testPlacement(index)), null, 2) + '\n'
        await expect(text).toMatchFileSnapshot(`testdata/${path.name}.${spec.hop.name}.json`)
      })
    }
  }

  it('names exactly the expected SPIFFE id on each encrypted leg', () => {
    const [, waypoint] = hopSpecs('envoy', paths['l4-l7-l4'])
    if (!waypoint) throw new Error('no waypoint')
    const text = JSON.stringify(renderHop(waypoint, testPlacement()))
    const ids = [...text.matchAll(/"exact":"([^"]+)"/g)].map((match) => match[1])
    expect(ids).toEqual([
      'spiffe://cluster.local/ns/bench/sa/client',
      'spiffe://cluster.local/ns/bench/sa/server',
    ])
  })

  it('refuses an encrypted leg to nobody', () => {
    const [client] = hopSpecs('envoy', paths['l4-only'])
    if (!client) throw new Error('no hop')
    const { after: _after, ...lonely } = client
    expect(() => renderHop(lonely, testPlacement())).toThrow('encrypted leg to nobody')
  })
})
