/** What a script does to a container, on a real engine: it ends, stands still, comes back where it was, and is billed for all its lives. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { docker } from './docker.js'
import { paths } from '../../../scenarios/paths/index.js'
import { bringUp, requestFor, slicesWhile, type BroughtUp } from '../kit/testing.js'

const measured = [paths.baseline, paths['l7-per-node'], paths['l7-sidecar-to-sidecar']]
const unmet = await docker.check(requestFor(docker, { paths: measured }))
const reason = unmet.map(({ need, found }) => `${need}: ${found}`).join('; ')
if (reason !== '') console.log(`skipped: ${reason}`)

const arm = 'reference/l7-per-node'
const hop = `${arm}/node-proxy`
const patience = { timeout: 20_000, interval: 50 }

describe.skipIf(reason !== '')('changes to a container', () => {
  let up: BroughtUp
  beforeAll(async () => {
    up = await bringUp(docker, { paths: measured })
  }, 180_000)
  afterAll(async () => {
    expect(await up.close()).toEqual([])
  }, 60_000)

  const change = (what: 'kill' | 'stop' | 'start' | 'pause' | 'resume') =>
    up.environment.change(hop, { do: what })
  const cpuOf = async () =>
    (await up.environment.read({ counters: false, usage: true })).usage[hop]?.cpuNs ?? 0

  it.each(['kill', 'stop'] as const)(
    'what a %s ends is told of, comes back where it was, and carries requests again',
    async (what) => {
      const before = await cpuOf()
      await change(what)
      await vi.waitFor(() => expect(up.environment.health(arm)?.kind).toBe('hop-died'), patience)
      await change('start')
      expect(up.environment.health(arm)).toBeUndefined()
      const { result } = await up.trial(arm)
      expect([result.ok, result.errors]).toEqual([result.sent, {}])
      expect(await cpuOf()).toBeGreaterThan(before)
    },
    60_000,
  )

  it('a client outlives its sidecar, and is answered again once that is back', async () => {
    const sidecars = 'reference/l7-sidecar-to-sidecar'
    const { ok, failed } = await slicesWhile(up, sidecars, 4_000, async () => {
      for (const what of ['kill', 'start'] as const)
        await up.environment.change(`${sidecars}/client-sidecar`, { do: what })
    })
    expect(failed.some((failures) => failures > 0)).toBe(true)
    expect([failed.at(-1), (ok.at(-1) ?? 0) > 0]).toEqual([0, true])
  }, 60_000)

  it('starting what runs changes nothing', async () => {
    await change('start')
    expect(up.environment.health(arm)).toBeUndefined()
  }, 30_000)

  it('a pause is no death, and what stands still can be ended', async () => {
    await change('pause')
    expect(up.environment.health(arm)).toBeUndefined()
    await change('resume')
    await change('pause')
    await change('kill')
    await vi.waitFor(() => expect(up.environment.health(arm)?.kind).toBe('hop-died'), patience)
    await change('start')
    const { result } = await up.trial(arm)
    expect(result.ok).toBe(result.sent)
  }, 60_000)

  it('says what it cannot do', async () => {
    await expect(up.environment.change(hop, { do: 'scale', to: 2 })).rejects.toThrow(/cannot do this: scale/)
  })

  it('what stands still when a run ends is removed all the same', async () => {
    await change('pause')
    expect(up.environment.health(arm)).toBeUndefined()
  })
})
