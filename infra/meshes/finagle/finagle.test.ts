import { describe, expect, it } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import { testRequest } from '../../../harness/testing/request.js'
import { hopSpecs, testPlacement } from '../hops/testing.js'
import { finagle, finagleCounters, finagleHop, renderFinagle } from './finagle.js'

const [spec] = hopSpecs('finagle', paths['l7-per-node'])
if (!spec) throw new Error('paths have changed')

describe('finagle', () => {
  /** Regenerate with `npx vitest run infra/meshes/finagle -u`, and read what changed. */
  it('is configured as reviewed', async () => {
    await expect(renderFinagle(spec, testPlacement())).toMatchFileSnapshot('testdata/l7-per-node.properties')
  })

  it('is told apart as what runs on a JVM, which a claim asks for', () => {
    expect(finagleHop.workload(spec, '/usr/bin/finagle').component.runtime).toBe('jvm')
  })

  it('has no part in legs that are encrypted: Linkerd’s node proxy was opt-in and in the clear', () => {
    expect(finagle.paths.flatMap((name) => paths[name as keyof typeof paths].legs)).toEqual([
      'plain',
      'plain',
    ])
  })

  it('is read from its own page of counters, and from no other', () => {
    expect(finagleCounters('requests 2004\nconnections 12\n')).toEqual({
      requests: 2004,
      downstreamConnections: 12,
    })
    expect(() => finagleCounters('<html>404</html>')).toThrow('not the counters of FinagleProxy: <html>')
  })

  it.each(['docker', 'kind'] as const)(
    'asks %s for an image, since none can be assembled',
    async (platform) => {
      const request = testRequest({ config: { platform } })
      const [unmet] = await finagle.check(request, { offers: [], builds: 'image' })
      expect(unmet?.need).toBe(`an image of finagle on ${platform}`)
      expect(unmet?.remedy).toContain(`platformSettings.${platform}.programImages.finagle`)
    },
  )
})
