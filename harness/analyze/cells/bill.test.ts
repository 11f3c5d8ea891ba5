import { describe, expect, it } from 'vitest'
import { analyze } from '../analyze.js'
import type { Analysis, Component, Estimate, JournalEntry } from '../../model.js'
import { badNumbers, comparisonOf, smallJournal } from '../../testing/analysis.js'

const [l4l7l4, l4] = ['reference/l4-l7-l4', 'reference/l4-only']
const whole = analyze(smallJournal({ experiments: ['latency', 'saturation'] }))

describe('the bill', () => {
  const cell = whole.cells.find(({ arm, experiment }) => arm === l4l7l4 && experiment === 'latency')

  it('has a row for each hop in its order, and the rows add up to the host', () => {
    expect(cell?.bill.map(({ component }) => component)).toEqual([
      'echo',
      `${l4l7l4}/client-tunnel`,
      `${l4l7l4}/server-tunnel`,
      `${l4l7l4}/waypoint`,
      'generator',
      'meshbench',
      'idle hops of other arms',
      'unaccounted',
    ])
    expect(Math.abs(cell?.billGapShare ?? 1)).toBeLessThan(0.03)
    // 9 µs a leg are unaccounted, beside what hops, application, generator and orchestrator use.
    expect(cell?.unaccountedShare).toBeGreaterThan(0.05)
    expect(
      whole.warnings.filter((warning) => warning.startsWith('The bill does not reconcile')),
    ).toHaveLength(1)
    const hop = cell?.bill.find(({ component }) => component.endsWith('waypoint'))
    expect(hop).toMatchObject({ source: 'schedstat', resolutionNs: 1 })
    // One voluntary switch a request, and one in fifty that is not.
    expect(hop?.contextSwitches?.value).toBeCloseTo(1020, -1)
    expect(hop?.memoryPss?.value).toBeLessThan(hop?.memory?.value ?? 0)
    expect(hop?.memoryPeak?.value).toBeGreaterThan(hop?.memory?.value ?? Infinity)
  })

  it('is no surer of a row than the counter behind it, where all rounds read the same', () => {
    const tickNs = 1e7
    const entries = smallJournal({ rounds: 6, arms: ['l4-only'] }).map((entry): JournalEntry => {
      if (entry.type !== 'trial' || !entry.usage || !entry.load) return entry
      const components = entry.usage.components.map((row) => ({
        ...row,
        ...{ cpuNs: 2 * tickNs, resolutionNs: tickNs, rssBytes: 2 ** 26, readSyscalls: 100 },
      }))
      return {
        ...entry,
        load: { ...entry.load, ok: 400 },
        usage: { ...entry.usage, hostBusyNs: 20 * tickNs, components },
      }
    })
    const own = analyze(entries).cells.find(({ arm }) => arm === l4)
    const width = ({ low, high }: Estimate) => high - low
    const hop = own?.bill.find(({ component }) => component.endsWith('client-tunnel'))
    const unaccounted = own?.bill.find(({ category }) => category === 'unaccounted')
    if (!own?.hopCpu || !own.hopMemory || !hop?.memory || !hop.readSyscalls || !unaccounted)
      throw new Error('not on the bill')
    // µs a request.
    const tick = tickNs / 1e3 / 400
    expect(width(hop.cpu)).toBeCloseTo(tick)
    expect(width(own.hopCpu)).toBeCloseTo(2 * tick)
    expect(width(unaccounted.cpu)).toBeGreaterThan(2 * tick)
    expect(width(hop.memory)).toBeCloseTo(4096 / 2 ** 20)
    expect(width(own.hopMemory)).toBeCloseTo(4096 / 2 ** 20)
    expect(width(hop.readSyscalls)).toBeGreaterThan(0)
  })

  it('finds what nobody accounts for', () => {
    const rows = new Map(cell?.bill.map((row) => [row.category, row.cpu.value]))
    // 9 µs for each of four legs, less the noise that slows everything.
    expect(rows.get('unaccounted')).toBeGreaterThan(34)
    expect(rows.get('unaccounted')).toBeLessThan(42)
  })

  it('charges the arm with its hops and the application, and with nothing else', () => {
    const own = cell?.bill.filter(({ category }) => ['application', 'l4', 'l7'].includes(category)) ?? []
    const sum = own.reduce((total, row) => total + row.cpu.value, 0)
    expect(cell?.cpu?.value).toBeCloseTo(sum, -1)
    expect(own.find(({ hop }) => hop === 'waypoint')).toMatchObject({ layer: 'l7', category: 'l7' })
  })

  it('has a row for a service that functions call, which is charged to no hop and not left unaccounted', () => {
    const name = `${l4l7l4}/authorizer`
    const component: Component = {
      ...{ name, arm: l4l7l4, service: 'authorizer' },
      ...{ category: 'called-service', node: 'waypoint' },
    }
    const plain = smallJournal()
    const entries = plain.map((entry): JournalEntry => {
      if (entry.type === 'environment') return { ...entry, components: [...entry.components, component] }
      if (entry.type !== 'trial' || !entry.usage || !entry.load) return entry
      // 7 µs a request, which the host has worked, too.
      const cpuNs = entry.cell.includes(`|${l4l7l4}|`) ? entry.load.ok * 7000 : 0
      const row = {
        component: name,
        category: 'called-service',
        cpuNs,
        source: 's',
        resolutionNs: 1,
      } as const
      const { usage } = entry
      return {
        ...entry,
        usage: {
          ...usage,
          hostBusyNs: usage.hostBusyNs + cpuNs,
          components: [...usage.components, row],
        },
      }
    })
    const cellOf = (analysis: Analysis) =>
      analysis.cells.find(({ arm, experiment }) => arm === l4l7l4 && experiment === 'latency')
    const [own, called] = [cellOf(analyze(plain)), cellOf(analyze(entries))]
    expect(called?.cpu).toEqual(own?.cpu)
    const row = called?.bill.find(({ category }) => category === 'called-service')
    expect([row?.component, row?.hop, row?.cpu.value]).toEqual([name, undefined, 7])
    const unaccounted = (cell: typeof own) =>
      cell?.bill.find(({ category }) => category === 'unaccounted')?.cpu.value ?? NaN
    expect(unaccounted(called)).toBeCloseTo(unaccounted(own))
    const other = analyze(entries).cells.find(({ arm }) => arm !== l4l7l4)
    expect(other?.bill.map(({ component: each }) => each)).not.toContain(name)
  })

  it('is left out where usage cannot be had, and latency is still told', () => {
    const analysis = analyze(smallJournal({ withoutUsage: true }))
    expect(
      analysis.cells.every(
        ({ bill, cpu, billGapShare }) => bill.length === 0 && !cpu && billGapShare === undefined,
      ),
    ).toBe(true)
    expect(comparisonOf(analysis, 'latency.response', l4, 'none/baseline', 50).verdict).toBe('worse')
    expect(analysis.claims[0]?.sentence).toContain('CPU was not measured')
    expect(badNumbers(analysis)).toEqual([])
  })
})
