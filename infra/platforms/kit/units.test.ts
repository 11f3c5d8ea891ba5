import { describe, expect, it } from 'vitest'
import type { Arm, Component } from '../../../harness/model.js'
import { testRequest } from '../../../harness/testing/request.js'
import { paths } from '../../../scenarios/paths/index.js'
import { bandwidth, countComponents, cpusOf, mostCpus, ownsApplication } from './units.js'
import { defined } from '../../../harness/model/defined.js'

const armOf = (path: string, copy?: Arm['copy']): Arm => ({
  ...{ id: `reference/${path}${copy ? `+${copy.which}` : ''}`, mesh: 'reference', path },
  ...{ role: 'subject', environment: 'local', baseline: 'none/baseline' },
  ...defined({ copy }),
})
const copyOf = (path: string, which: NonNullable<Arm['copy']>['which']) =>
  armOf(path, { of: `reference/${path}`, which, ...(which === 'unit-1' ? { cpusPerHop: 0.2 } : {}) })

const sidecars = paths['l7-sidecar-to-sidecar']
const waypoint = paths['l4-l7-l4']

describe('units of L7', () => {
  it('have an application of their own where all of their hops are sidecars', () => {
    expect(ownsApplication(copyOf(sidecars.name, 'unit-1'), sidecars)).toBe(true)
    expect(ownsApplication(copyOf(waypoint.name, 'unit-1'), waypoint)).toBe(false)
    // Copies of workloads share the application that answers all.
    for (const which of [2, 'spare'] as const)
      expect(ownsApplication(copyOf(sidecars.name, which), sidecars)).toBe(false)
    expect(ownsApplication(armOf(sidecars.name), sidecars)).toBe(false)
  })

  it('are counted with the applications that they bring', () => {
    const units = (path: string) => (['unit-1', 'unit-2'] as const).map((which) => copyOf(path, which))
    const arms = [
      armOf(sidecars.name),
      ...units(sidecars.name),
      armOf(waypoint.name),
      ...units(waypoint.name),
    ]
    expect(countComponents(testRequest({ arms, paths: [sidecars, waypoint] }))).toEqual({
      ...{ hops: 3 * sidecars.hops.length + 3 * waypoint.hops.length, applications: 1 + 2, services: 0 },
    })
  })

  it('are counted with the services that functions of their L7 hops call', () => {
    const config = { meshSettings: { reference: { proxy: { services: { authorizer: {}, mirror: {} } } } } }
    const tunnels = paths['l4-only']
    const request = testRequest({
      ...{ config, paths: [tunnels, waypoint] },
      arms: [armOf(tunnels.name), armOf(waypoint.name), copyOf(waypoint.name, 'unit-1')],
    })
    expect(countComponents(request).services).toBe(2 * 2)
  })

  it('limit their L7 hops and nothing else', () => {
    const unit = copyOf(waypoint.name, 'unit-1')
    const arms = [armOf(waypoint.name), unit, copyOf(waypoint.name, 2)]
    const component = (arm: string | undefined, category: Component['category']): Component => ({
      ...{ name: 'x', category, node: 'server' },
      ...defined({ arm }),
    })
    expect(cpusOf(arms, component(unit.id, 'l7'))).toBe(0.2)
    expect(cpusOf(arms, component(unit.id, 'l4'))).toBeUndefined()
    expect(cpusOf(arms, component(unit.id, 'application'))).toBeUndefined()
    expect(cpusOf(arms, component(arms[0]?.id, 'l7'))).toBeUndefined()
    expect(cpusOf(arms, component(undefined, 'l7'))).toBeUndefined()
    expect(mostCpus({ arms })).toBe(0.2)
    expect(mostCpus({ arms: arms.slice(0, 1) })).toBeUndefined()
  })
})

it.each([0.05, 0.1, 0.25, 1, 2.5])(
  '%d cores are that share of a period, and no quota is below 1 ms',
  (cpus) => {
    const { quotaUs, periodUs } = bandwidth(cpus)
    expect(quotaUs / periodUs).toBeCloseTo(cpus)
    expect(quotaUs).toBeGreaterThanOrEqual(1000)
  },
)
