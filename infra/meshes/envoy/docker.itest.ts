/** Envoy in containers: an image is assembled from the binary of this machine, and every path is carried and proved. */
import { describe, expect, it } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import { locateBinary } from '../../supply/binaries.js'
import { docker } from '../../platforms/docker/docker.js'
import { bringUp, requestFor } from '../../platforms/kit/testing.js'
import { envoyNeed } from './hop.js'

const carried = [paths['l4-l7-l4'], paths['l7-sidecar-to-sidecar']]
const options = { mesh: 'envoy', paths: [paths.baseline, ...carried] }
const found = await locateBinary(envoyNeed)
const unmet = [
  ...(typeof found === 'string' ? [] : [found]),
  ...(await docker.check(requestFor(docker, options))),
]
for (const { need, found: what, remedy } of unmet) console.warn(`skipped: ${need}: ${what}; ${remedy}`)

describe.skipIf(unmet.length > 0)('Envoy on docker', () => {
  it('carries its paths and is billed from its cgroups', async () => {
    const up = await bringUp(docker, options)
    try {
      expect(up.environment.failures).toEqual({})
      const checks = Object.values(up.environment.proofs).flat()
      // Plaintext, no certificate, two impostors and the right client, for each of three encrypted legs.
      expect(checks).toHaveLength(15)
      expect(checks.filter(({ ok }) => !ok)).toEqual([])
      for (const path of carried) {
        const { result, proof, edges } = await up.trial(`envoy/${path.name}`)
        expect(result.ok).toBe(result.sent)
        expect(proof.filter(({ ok }) => !ok)).toEqual([])
        for (const hop of path.hops) {
          const name = `envoy/${path.name}/${hop.name}`
          expect(edges.at(-1)?.usage[name]?.source, name).toMatch(/^cgroup-v[12]$/)
        }
      }
    } finally {
      expect(await up.close()).toEqual([])
    }
  }, 180_000)
})
