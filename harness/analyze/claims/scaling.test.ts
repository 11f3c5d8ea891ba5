/** What the verdict on L7 that scales on its own may say by chance, simulated; and how the two halves of C4 make one verdict. */
import { describe, expect, it } from 'vitest'
import { catalogue } from '../../cli/catalogue.js'
import type { UserConfig } from '../../config.js'
import { resolveConfig } from '../../config/resolve-config.js'
import type { Component, Estimate, JournalEntry, Path, Trial, Usage } from '../../model.js'
import { hasSidecarsAlone } from '../../model/plan.js'
import { environmentRequests, makePlan } from '../../plan/plan.js'
import { seededRandom } from '../../protocol/random.js'
import { fitLine, slopeOf } from '../../stats/line.js'
import { syntheticJournal } from '../../testdata/synthetic-journal.js'
import { applicationMemory } from '../../../scenarios/experiments/scale-out.js'
import { cameUpBefore } from '../../testing/analysis.js'
import { analyze } from '../analyze.js'
import { growthLimits } from './growth.js'
import { sidecars } from './steps.js'
import { bothHalves, scalingLimits, verdictOfScaling } from './scaling.js'
import { defined } from '../../model/defined.js'

const runs = 400
const units = [1, 2, 3, 4]
/** By how much processes of one program differ, and by how much one process does from step to step, MiB. */
const [spreadMib, driftMib] = [3, 0.3]
const application = 20

/** Shares of verdicts over runs in which a unit adds so many MiB of application where L7 is shared, and beside a sidecar. */
function verdicts(sharedMib: number, besideSidecarMib = application) {
  const random = seededRandom(7)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const slope = (perUnit: number, spread: number) => {
    // What a unit's processes have by chance stays in all steps that they are part of.
    const processes = units.map(() => spread * normal())
    const line = fitLine(
      units.map((x) => ({
        x,
        y: 20 + perUnit * x + driftMib * normal() + processes.slice(0, x).reduce((sum, mib) => sum + mib, 0),
      })),
    )
    if (!line) throw new Error('no line')
    return { ...slopeOf(line), n: 6 }
  }
  const counts = { supported: 0, refuted: 0, inconclusive: 0 }
  for (let run = 0; run < runs; run++) {
    const verdict = verdictOfScaling({
      ownMesh: slope(40, spreadMib),
      ownApplication: slope(besideSidecarMib, besideSidecarMib > 0 ? spreadMib / 2 : 0),
      sharedMesh: slope(20, spreadMib / 2),
      sharedApplication: slope(sharedMib, sharedMib > 0 ? spreadMib / 10 : 0),
    })
    counts[verdict] += 1 / runs
  }
  return counts
}

/** Twice the standard error of a share of 0.05 in so many runs. */
const byChance = 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs)

describe('L7 that scales on its own', () => {
  it('is decided by chance alone where the application grows by just the limit', () => {
    const { supported, refuted } = verdicts(scalingLimits.unchanged * application)
    expect(supported).toBeLessThan(byChance)
    expect(refuted).toBeLessThan(byChance)
  })

  it('is found where the application stays as it is, and refuted where it grows along', () => {
    expect(verdicts(0).supported).toBeGreaterThan(0.7)
    expect(verdicts(application).refuted).toBeGreaterThan(0.8)
  })

  it('is not taken from sidecars that bring no application along', () => {
    expect(verdicts(0, 0).supported).toBeLessThan(byChance)
  })

  it('is not decided by too few rounds', () => {
    const added = { value: 20, low: 19, high: 21, n: 2 }
    const none = { value: 0, low: -0.1, high: 0.1, n: 2 }
    const of = (n: number) =>
      verdictOfScaling({
        ownMesh: { ...added, n },
        ownApplication: { ...added, n },
        sharedMesh: { ...added, n },
        sharedApplication: { ...none, n },
      })
    expect([of(2), of(6)]).toEqual(['inconclusive', 'supported'])
  })
})

it.each([
  ['supported', undefined, 'supported'],
  ['supported', 'supported', 'supported'],
  ['supported', 'inconclusive', 'inconclusive'],
  ['supported', 'refuted', 'refuted'],
  ['refuted', 'supported', 'refuted'],
  ['inconclusive', 'supported', 'inconclusive'],
  [undefined, 'supported', 'inconclusive'],
  [undefined, 'refuted', 'refuted'],
] as const)('growth %s and scaling %s make C4 %s', (growth, scaling, whole) => {
  expect(bothHalves(growth, scaling)).toBe(whole)
})

/** What processes of one kind hold, MiB; that of an application that arms share, too. */
const held = { l7: 20, l4: 15, application: 18 } as const

/** A journal of one experiment on sidecars and waypoints, in which every process is of its kind's size ± a little. */
function journalOf(
  seed: number,
  experiments: NonNullable<UserConfig['experiments']> = { 'scale-out': { units } },
): JournalEntry[] {
  const config = resolveConfig({
    arms: { reference: [sidecars, 'l4-l7-l4'] },
    experiments,
    rounds: { min: 6, max: 6 },
  })
  const plan = makePlan(config, catalogue)
  const random = seededRandom(seed)
  const arms = environmentRequests(plan).flatMap((request) => request.arms)
  const components = [
    { name: 'echo', category: 'application' as const, node: 'server' as const },
    ...arms.flatMap(({ id: arm, copy, path: name }): Component[] => {
      const path = plan.paths.find((other) => other.name === name) as Path
      const base = { arm, ...defined({ copy }) }
      return [
        ...(copy && hasSidecarsAlone(path)
          ? [{ ...base, name: `${arm}/echo`, category: 'application' as const, node: 'server' as const }]
          : []),
        ...path.hops.map(({ name: hop, layer: category, node }) => ({
          ...base,
          name: `${arm}/${hop}`,
          hop,
          category,
          node,
        })),
      ]
    }),
  ]
  const sizes = new Map(
    components.map(({ name, category }) => [name, held[category as keyof typeof held] + 0.4 * random()]),
  )
  const [header, environment] = syntheticJournal()
  const [sample] = syntheticJournal({ invalidShare: 0, failedShare: 0 }).filter(
    (entry) => entry.type === 'trial',
  )
  const usage = (): Usage => ({
    ...(sample?.usage as Usage),
    components: components.map(({ name, category }) => ({
      component: name,
      category,
      cpuNs: 1e6,
      rssBytes: 2 ** 27,
      pssBytes: ((sizes.get(name) ?? 0) + 0.1 * random()) * 2 ** 20,
      source: 'synthetic',
      resolutionNs: 1,
    })),
  })
  return [
    { ...(header as Extract<JournalEntry, { type: 'run' }>), plan },
    { ...(environment as Extract<JournalEntry, { type: 'environment' }>), components },
    ...plan.order.map((spec): Trial => ({ ...(sample as Trial), ...spec, usage: usage() })),
    { type: 'end', at: new Date().toISOString(), outcome: 'complete' },
  ]
}

describe('a journal of scale-out', () => {
  const analysis = analyze(journalOf(3))
  const figures = analysis.claims.find(({ id }) => id === 'C4')?.figures ?? []
  const added = Object.fromEntries(figures.map(({ label, estimate }) => [label, estimate.value]))

  it.each([
    ['memory of L7 hops that one more unit adds on l4-l7-l4', held.l7],
    ['memory of the application that one more unit adds on l4-l7-l4', 0],
    ['memory of L7 hops that one more unit adds with sidecars', 2 * held.l7],
    ['memory of the application that one more unit adds with sidecars', held.application],
  ])('gives back what was put in: %s', (label, truth) => {
    expect(Math.abs((added[label] ?? Number.NaN) - truth)).toBeLessThan(1)
  })

  it('charges a step for its units, and for neither the arm’s own hops nor an application that is idle', () => {
    const memoryOf = (path: string, count: number) => {
      const cell = analysis.cells.find(
        ({ arm, load }) => arm.endsWith(`/${path}`) && load.workloads === count,
      )
      return (cell?.figures?.[applicationMemory.id] as Estimate | undefined)?.value ?? 0
    }
    expect(Math.round(memoryOf(sidecars, 1) / held.application)).toBe(1)
    expect(Math.round(memoryOf(sidecars, 4) / held.application)).toBe(4)
    expect(Math.round(memoryOf('l4-l7-l4', 4) / held.application)).toBe(1)
  })

  it('leaves C4 open, and says what is missing', () => {
    const claim = analysis.claims.find(({ id }) => id === 'C4')
    expect(claim?.verdict).toBe('inconclusive')
    expect(claim?.next).toBe('the footprint experiment as well')
    expect(claim?.sentence).toContain('So L7 scales without the application there.')
  })
})

it('tells what one more unit adds to what is carried, by the knees of the steps', () => {
  const cpusPerHop = 0.5
  const entries = journalOf(3, { 'scale-out': { units, cpusPerHop } })
  const [header] = entries
  const cells = new Map(header?.type === 'run' ? header.plan.cells.map((cell) => [cell.id, cell]) : [])
  const perUnit = 400
  const tried = [0.6, 1.5, 0.9, 1.1, 0.95, 1.05, 0.98, 1.02]
  const searched = entries.map((entry) => {
    const cell = entry.type === 'trial' ? cells.get(entry.cell) : undefined
    if (entry.type !== 'trial' || !entry.load || !cell?.search) return entry
    const share = tried[entry.round] ?? 1
    const ratePerSecond = share * perUnit * (cell.load.workloads ?? 1)
    return { ...entry, ratePerSecond, load: { ...entry.load, unsent: share > 1 ? 9 : 0 } }
  })
  const figures = analyze(searched).claims.find(({ id }) => id === 'C4')?.figures ?? []
  const gained = figures.filter(({ label }) => label.startsWith('requests a second that one more unit adds'))
  expect(gained).toHaveLength(2)
  for (const { estimate } of gained) expect(Math.abs(estimate.value / perUnit - 1)).toBeLessThan(0.05)
})

describe('a journal of footprint', () => {
  const once = journalOf(3, { footprint: { replicas: [1, 2, 8] } })
  const c12 = (entries: JournalEntry[]) => analyze(entries).claims.find(({ id }) => id === 'C12')

  it('decides nothing of C12 by six rounds of one process of each, and says what does', () => {
    const claim = c12(once)
    expect(claim?.verdict).toBe('inconclusive')
    // Far below the half: it is not the interval that leaves it open.
    expect(claim?.figures[1]?.estimate.high).toBeLessThan(growthLimits.farFewer)
    expect(claim?.sentence).toContain(
      'by rounds of one process of each, which do not tell what another takes',
    )
    expect(claim?.next).toContain('--blocks 3')
  })

  it('decides it by processes where they were started anew often enough', () => {
    const anew = cameUpBefore(
      once,
      (trial, before) => before !== undefined && trial.round !== before.round && trial.round % 2 === 0,
    )
    const claim = c12(anew)
    expect(claim?.verdict).toBe('supported')
    expect(claim?.figures.map(({ estimate }) => estimate.n)).toEqual([3, 3])
    expect(claim?.sentence).not.toContain('by rounds of')
  })
})
