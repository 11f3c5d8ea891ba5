/** Journals of starts whose truth is known, and what the rules on them and on deaths say by chance. */
import { describe, expect, it } from 'vitest'
import { experiments } from '../../../scenarios/experiments/index.js'
import { readRestart, sliceMs } from '../../../scenarios/experiments/restart.js'
import type { JournalEntry, LabelledLoad, Slices, Trial, TrialEvent } from '../../model.js'
import { seededRandom } from '../../protocol/random.js'
import { syntheticJournal } from '../../testdata/synthetic-journal.js'
import { analyze } from '../analyze.js'
import { estimateOf } from '../estimates.js'
import { verdictOfC6 } from './acting.js'
import { defined } from '../../model/defined.js'
import { startLimits, verdictOfC7, verdictOfC9 } from './starting.js'

const rounds = 9
const windowMs = 2000
const killMs = 200
/** Kill and start are not one instant, and the slices' clock begins later than that of the events. */
const gapMs = 4
const clockMs = 23

interface Truth {
  /** From the start of the hop until requests are answered. */
  readonly raceMs: number
  /** Of the first request that is answered, beyond the others. */
  readonly firstMs?: number
}

const requestMs = 2

function slicesOf({ raceMs, firstMs = 0 }: Truth): Slices {
  const from = Math.floor((killMs - clockMs) / sliceMs)
  const to = raceMs === 0 ? from : Math.floor((killMs - clockMs + gapMs + raceMs) / sliceMs)
  const all = Array.from({ length: windowMs / sliceMs }, (_, slice) => slice)
  const isDown = (slice: number) => slice >= from && slice < to
  const us = (slice: number) => (isDown(slice) ? 0 : 1000 * (requestMs + (slice === to ? firstMs : 0)))
  return {
    ms: sliceMs,
    workloads: [
      {
        ok: all.map((slice) => Number(!isDown(slice))),
        failed: all.map((slice) => Number(isDown(slice))),
        meanUs: all.map(us),
        maxUs: all.map(us),
      },
    ],
  }
}

function eventsOf(hop: string, readyMs: number, awaits = false): TrialEvent[] {
  const at = (action: string, startedMs: number, endedMs: number): TrialEvent => ({
    action: `${action} ${hop}`,
    kind: action === 'await' ? 'await' : 'change',
    dueMs: killMs,
    startedMs,
    endedMs,
  })
  const begun = killMs + gapMs
  return [
    at('kill', killMs, begun),
    at('start', begun, begun + readyMs),
    ...(awaits ? [at('await', begun + readyMs, begun + readyMs)] : []),
  ]
}

/** Of a trial that a test has made itself. */
const written = (values: readonly number[] = []) => values as number[]

const trialOf = (truth: Truth, events: TrialEvent[]) =>
  ({ events, load: { slices: slicesOf(truth) } }) as unknown as Trial

describe('what is read of a start', () => {
  it.each([40, 200, 700])('a race of %d ms is found within one slice', (raceMs) => {
    const read = readRestart(trialOf({ raceMs }, eventsOf('client-sidecar', raceMs)))
    expect(Math.abs((read?.unservedMs ?? 0) - raceMs)).toBeLessThanOrEqual(sliceMs)
    expect(read?.readyMs).toBeCloseTo(raceMs)
  })

  it('an application that waited for its sidecar missed nothing', () => {
    const read = readRestart(trialOf({ raceMs: 300 }, eventsOf('client-sidecar', 300, true)))
    expect(read?.unservedMs).toBeLessThanOrEqual(sliceMs)
  })

  it('where nothing failed nothing is found, and a spare hop is nobody’s to wait for', () => {
    const read = readRestart(trialOf({ raceMs: 0 }, eventsOf('client-tunnel of the spare', 250)))
    expect(read).toEqual({ readyMs: 0, unservedMs: 0, outages: 0, firstAddedMs: 0 })
  })

  it('a first connection that takes 7 ms longer is found', () => {
    const read = readRestart(trialOf({ raceMs: 200, firstMs: 7 }, eventsOf('client-tunnel', 200)))
    expect(read?.firstAddedMs).toBeCloseTo(7)
  })

  /** A second outage of 100 ms, 800 ms after the start of the first, which nothing of the script made. */
  const failingAgain = (truth: Truth, events: TrialEvent[]) => {
    const trial = trialOf(truth, events)
    const [workload] = trial.load?.slices?.workloads ?? []
    const from = Math.floor((killMs + 800) / sliceMs)
    for (let slice = from; slice < from + 100 / sliceMs; slice++) {
      written(workload?.failed).splice(slice, 1, 1)
      written(workload?.ok).splice(slice, 1, 0)
    }
    return trial
  }

  it('two outages are told as two, and the time between them, in which all was answered, is none', () => {
    const [hop, raceMs] = ['client-sidecar', 200]
    const together = readRestart(failingAgain({ raceMs, firstMs: 7 }, eventsOf(hop, raceMs)))
    expect(Math.abs((together?.unservedMs ?? 0) - raceMs - 100)).toBeLessThanOrEqual(sliceMs)
    expect(together?.outages).toBe(2)
    // The first connection is that after the start, not that after the last failure of all.
    expect(together?.firstAddedMs).toBeCloseTo(7)
    // One that waited for its sidecar lost what failed later, and nothing of what came before.
    const waited = readRestart(failingAgain({ raceMs }, eventsOf(hop, raceMs, true)))
    expect(Math.abs((waited?.unservedMs ?? 0) - 100)).toBeLessThanOrEqual(sliceMs)
  })

  it('a slice in which nobody asked parts no outage', () => {
    const trial = trialOf({ raceMs: 200 }, eventsOf('client-sidecar', 200))
    const [workload] = trial.load?.slices?.workloads ?? []
    written(workload?.failed).splice(Math.floor((killMs + 50) / sliceMs), 3, 0, 0, 0)
    const read = readRestart(trial)
    expect(read?.outages).toBe(1)
    expect(Math.abs((read?.unservedMs ?? 0) - 200)).toBeLessThanOrEqual(sliceMs)
  })

  it('a trial in which nothing ended tells nothing', () => {
    expect(readRestart(trialOf({ raceMs: 0 }, []))).toBeUndefined()
  })
})

type Told = (load: string, path: string) => { readonly truth: Truth; readonly events: TrialEvent[] }

/** A whole journal of one experiment on two architectures. */
function journalOf(experiment: 'startup' | 'first-packet', told: Told): JournalEntry[] {
  const arms = ['l7-sidecar-to-sidecar', 'l4-only']
  const base = syntheticJournal({
    rounds: 1,
    arms,
    experiments: ['latency'],
    invalidShare: 0,
    failedShare: 0,
  })
  const template = base.find((entry) => entry.type === 'trial')
  const header = base.find((entry) => entry.type === 'run')
  if (!template?.load || !header) throw new Error('a journal has a header and trials')
  const { load } = template
  const settings = experiments[experiment].settings.parse({ durationMs: windowMs })
  const loads: readonly LabelledLoad[] = experiments[experiment].loads(settings)
  const cells = loads.flatMap(({ label, load: asked }) =>
    header.plan.arms
      .filter(({ role }) => role === 'subject')
      .map((arm) => ({
        arm,
        cell: {
          id: `${experiment}|${arm.id}|${label}`,
          experiment,
          arm: arm.id,
          load: asked,
          loadLabel: label,
        },
      })),
  )
  const trials = Array.from({ length: rounds }, (_, round) =>
    cells.map(({ arm, cell }, index): JournalEntry => {
      const { truth, events } = told(cell.loadLabel, arm.path)
      return {
        ...template,
        index: round * cells.length + index,
        round,
        cell: cell.id,
        events,
        // No two rounds are alike.
        load: {
          ...load,
          slices: slicesOf({ ...truth, raceMs: truth.raceMs && truth.raceMs + (round % 3) * sliceMs }),
        },
      }
    }),
  ).flat()
  const plan = { ...header.plan, cells: cells.map(({ cell }) => cell), order: [] }
  return [
    ...base.flatMap((entry) =>
      entry.type === 'trial' ? [] : entry === header ? [{ ...header, plan }] : [entry],
    ),
    ...trials,
  ]
}

const claimOf = (id: string, entries: JournalEntry[]) =>
  analyze(entries).claims.find((claim) => claim.id === id)

describe('C7', () => {
  const told =
    (raceMs: number): Told =>
    (load, path) => {
      const isOwn = path === 'l7-sidecar-to-sidecar' && !load.startsWith('a spare')
      return isOwn
        ? {
            truth: { raceMs },
            events: eventsOf('client-sidecar', raceMs, load.startsWith('a workload waits')),
          }
        : { truth: { raceMs: 0 }, events: eventsOf('hop of the spare', 200) }
    }

  it('more than one stretch of failures is told, and one is no news', () => {
    const found = journalOf('startup', told(200))
    expect(claimOf('C7', found)?.sentence).not.toContain('stretches')
    for (const entry of found) {
      if (entry.type !== 'trial' || !entry.cell.includes('starts with it')) continue
      const [workload] = entry.load?.slices?.workloads ?? []
      if (workload?.failed.some((failures) => failures > 0))
        written(workload.failed).splice(300, 4, 1, 1, 1, 1)
    }
    expect(claimOf('C7', found)?.sentence).toMatch(
      /in 2\.0* \([\d.]+ to [\d.]+\) stretches, between which it was answered/,
    )
  })

  it('a race of 200 ms that sidecars alone have bears it out, with the figure', () => {
    const claim = claimOf('C7', journalOf('startup', told(200)))
    expect(claim?.verdict).toBe('supported')
    const [own, shared] = claim?.figures ?? []
    expect(own?.estimate.low).toBeLessThanOrEqual(205)
    expect(own?.estimate.high).toBeGreaterThanOrEqual(205)
    // Nothing failed in any round, as far as slices tell.
    expect(shared?.estimate).toMatchObject({ value: 0, low: 0 })
    expect(shared?.estimate.high).toBeCloseTo(sliceMs / 2)
    expect(claim?.sentence).toContain('Plaintext is not decidable here')
  })

  /** What a look at the packets found on each path when it came up. */
  const looked = (found: Readonly<Record<string, string>>, raceMs = 200) =>
    journalOf('startup', told(raceMs)).map((entry): JournalEntry => {
      if (entry.type !== 'environment') return entry
      const proofs = Object.entries(found).map(([path, actual]) => [
        `reference/${path}`,
        [{ name: 'plaintext while the first hop is away', ok: true, expected: 'whatever is found', actual }],
      ])
      return { ...entry, proofs: Object.fromEntries(proofs) as typeof entry.proofs }
    })

  it('plaintext is decided where the packets were looked at on both paths, and says what decides it elsewhere', () => {
    const [own, shared] = ['l7-sidecar-to-sidecar', 'l4-only']
    const sentence = (found: Readonly<Record<string, string>>) => claimOf('C7', looked(found))?.sentence
    expect(sentence({ [own]: 'none', [shared]: 'none' })).toContain(
      'of a client’s plaintext none reached the server’s node on l7-sidecar-to-sidecar and none on l4-only',
    )
    for (const found of [{}, { [own]: 'none' }, { [own]: 'none', [shared]: 'not looked at: no tcpdump' }])
      expect(sentence(found)).toMatch(/Plaintext is not decidable here: .* platform netns decides it/)
  })

  it('what leaks has a race: a node’s component that does refutes it, a sidecar without any other bears it out', () => {
    const [own, shared] = ['l7-sidecar-to-sidecar', 'l4-only']
    const verdict = (found: Readonly<Record<string, string>>, raceMs: number) =>
      claimOf('C7', looked(found, raceMs))?.verdict
    expect(verdict({ [own]: 'none', [shared]: 'clear' }, 200)).toBe('refuted')
    expect(verdict({ [own]: 'clear', [shared]: 'none' }, 0)).toBe('supported')
    expect(verdict({ [own]: 'none', [shared]: 'none' }, 0)).toBe('refuted')
  })

  it('no race refutes it', () => {
    expect(claimOf('C7', journalOf('startup', told(0)))?.verdict).toBe('refuted')
  })

  it('where a spare hop’s start is felt nothing is decided', () => {
    const bounds = (value: number) => ({ low: value, high: value, n: rounds })
    expect(verdictOfC7(bounds(200), bounds(0), [bounds(0), bounds(60)])).toBe('inconclusive')
    expect(verdictOfC7(bounds(200), bounds(0), [])).toBe('inconclusive')
  })
})

describe('C9', () => {
  it('first packets that all rounds lost are lost as surely as there are rounds', () => {
    const lost = (n: number) => {
      const settings = { seed: 1, rounds: { min: n, max: n, untilEffect: 0.05, budgetMinutes: 1 } }
      const options = { unit: 'count' as const, positive: true, things: n, cells: [] }
      return verdictOfC9(
        estimateOf(
          Array.from({ length: n }, () => 1),
          settings,
          options,
        ),
        ['clear'],
      )
    }
    expect(lost(9)).toBe('supported')
    expect(lost(4)).toBe('inconclusive')
  })

  const bounds = (value: number, n = rounds) => ({ low: value, high: value, n })

  it.each([
    [bounds(1), ['clear'], 'supported'],
    [bounds(0), ['clear'], 'refuted'],
    [bounds(1), ['encrypted'], 'refuted'],
    [bounds(1), [], 'inconclusive'],
    [bounds(1), ['clear', 'encrypted'], 'inconclusive'],
    [bounds(1, 2), ['clear'], 'inconclusive'],
    [undefined, ['clear'], 'inconclusive'],
  ] as const)('first packets lost: %o, seen on the wire: %j: %s', (lost, wire, verdict) => {
    expect(verdictOfC9(lost, wire)).toBe(verdict)
  })

  it('stays open on a mesh that does not authenticate so, and tells what a first connection takes', () => {
    const told: Told = (load) =>
      load.startsWith('a spare')
        ? { truth: { raceMs: 0 }, events: eventsOf('hop of the spare', 200) }
        : { truth: { raceMs: 200, firstMs: 7 }, events: eventsOf('client-tunnel', 200) }
    const claim = claimOf('C9', journalOf('first-packet', told))
    expect(claim?.verdict).toBe('inconclusive')
    expect(claim?.figures[0]?.estimate.value).toBeCloseTo(7)
    expect(claim?.sentence).toContain('not decidable here')
  })
})

const runs = 400
/** Twice the standard error of a share of 0.05 in so many runs. */
const byChance = 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs)
const random = seededRandom(11)
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

function simulated(draw: () => number, seed: number, things?: number, n = rounds) {
  const values = Array.from({ length: n }, draw)
  const settings = { seed, rounds: { min: n, max: n, untilEffect: 0.05, budgetMinutes: 1 } }
  const unit = things === undefined ? 'ms' : 'share'
  return estimateOf(values, settings, { unit, positive: true, cells: [], ...defined({ things }) })
}

function shareOf(decision: string, verdict: (seed: number) => string): number {
  return (
    Array.from({ length: runs }, (_, run) => verdict(run + 1)).filter((said) => said === decision).length /
    runs
  )
}

const none = { low: 0, high: 0, n: rounds }

describe('by chance, in simulated runs of nine independent rounds', () => {
  const race = (ms: number) => () => Math.max(0, Math.round((ms + 6 * normal()) / sliceMs) * sliceMs)
  const c7 = (ms: number) => (seed: number) => verdictOfC7(simulated(race(ms), seed), none, [none, none])

  it('a race as long as the limit is decided in few of them, one of twice its length in most', () => {
    expect(shareOf('supported', c7(startLimits.race))).toBeLessThan(byChance)
    expect(shareOf('refuted', c7(startLimits.race))).toBeLessThan(byChance)
    expect(shareOf('supported', c7(2 * startLimits.race))).toBeGreaterThan(0.8)
  })

  /** Each of four workloads is hurt, or not, by itself. */
  const hit = (share: number) => () =>
    Array.from({ length: 4 }, () => Number(random() < share)).reduce((sum, hurt) => sum + hurt, 0) / 4
  const c6 =
    (shared: number, own: number, n = rounds, ownHit = hit(own)) =>
    (seed: number) =>
      verdictOfC6(simulated(hit(shared), seed, 4 * n, n), simulated(ownHit, seed + runs, 4 * n, n), [
        none,
        none,
      ]).verdict

  it('shares of workloads at their limits are decided in few of them, one and all of them in most', () => {
    expect(shareOf('supported', c6(0.9, 0.25))).toBeLessThan(byChance)
    expect(shareOf('supported', c6(1, 0.5))).toBeLessThan(byChance)
    expect(shareOf('refuted', c6(1, 0.5))).toBeLessThan(byChance)
    // A sidecar's death hurts its own workload.
    expect(
      shareOf(
        'supported',
        c6(1, 0, rounds, () => 0.25),
      ),
    ).toBeGreaterThan(0.8)
    expect(shareOf('refuted', c6(0.5, 0.25))).toBeGreaterThan(0.8)
  })

  it('few rounds in which every workload is hurt do not show that nearly every one would be', () => {
    // At the limit itself, four rounds of four hurt all of them in 19 of 100 runs.
    expect(shareOf('supported', c6(0.9, 0, 4))).toBeLessThan(byChance)
    expect(shareOf('refuted', c6(0.2, 0, 4))).toBeGreaterThan(0.8)
  })

  it('a null that is felt decides nothing', () => {
    const felt = { low: 0.2, high: 0.6, n: rounds }
    expect(
      verdictOfC6({ low: 1, high: 1, n: rounds }, { low: 0.25, high: 0.25, n: rounds }, [none, felt]).verdict,
    ).toBe('inconclusive')
  })
})
