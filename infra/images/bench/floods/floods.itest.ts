/**
 * Floods of HTTP/2 at the proxy and at HBONE: a bystander on another connection is served, memory stays bounded, and
 * descriptors come back. Short by default, a minute each among the extended tests. Time is the bench's subject, not ours.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWorkspace } from '../../kit/testing.js'
import { memoryBytes } from '../counters.js'
import { attack } from './attack.js'
import { startBystander } from './bystander.js'
import { floodKinds } from './kinds.js'
import { type FloodTarget, descriptorsOf, startProxyTarget, startTunnelTarget } from './targets.js'

const seconds = process.env['MESHBENCH_TEST_EXTENDED'] === '1' ? 60 : 0.4
/** What a heap may breathe; a flood that is kept in memory takes hundreds. */
const mostGrowthBytes = 96 * 2 ** 20
/** Bystander's connection, and connections that the hop keeps to its application. */
const spareDescriptors = 12

describe.each([
  ['the proxy', startProxyTarget],
  ['HBONE', startTunnelTarget],
] as const)('%s', (_name, start) => {
  const workspace = createWorkspace()
  let target: FloodTarget
  let descriptors = 0
  let resident = 0
  beforeAll(async () => {
    target = await start(workspace)
    // Code, pools and buffers of a first load are no flood's.
    const warm = startBystander(target.entry)
    await attack(floodKinds[0] as (typeof floodKinds)[number], target.attack, 0.2)
    await warm.stop()
    descriptors = descriptorsOf(target.pid)
    resident = memoryBytes(target.pid).rss
  })
  afterAll(async () => {
    await target.stop()
    workspace.remove()
  })

  it.each(floodKinds.map((kind) => [kind.name, kind] as const))(
    'survives %s',
    async (_kind, kind) => {
      const bystander = startBystander(target.entry)
      const { bytes } = await attack(kind, target.attack, seconds)
      const { latenciesMs, errors } = await bystander.stop()
      expect(errors).toEqual([])
      expect(latenciesMs.length).toBeGreaterThan(0)
      if (kind.name !== 'slow preface') expect(bytes).toBeGreaterThan(0)
      expect(memoryBytes(target.pid).rss - resident).toBeLessThan(mostGrowthBytes)
      await expect
        .poll(() => descriptorsOf(target.pid), { timeout: 30_000, interval: 100 })
        .toBeLessThanOrEqual(descriptors + spareDescriptors)
    },
    120_000,
  )
})
