/** How long a run may take, from a glance in CI to as long as precision needs. A profile is a set of defaults. */
import type { ResolvedConfig } from '../model.js'

export interface Profile {
  readonly summary: string
  readonly rounds: ResolvedConfig['rounds']
  /** Timing of each experiment, laid under what the config says. */
  readonly experiments: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Experiments that this profile leaves out, for lack of time. */
  readonly without: readonly string[]
}

export const profiles = {
  smoke: {
    summary: 'at most 30 s: shows that everything works, not what it costs',
    rounds: { min: 2, max: 2, untilEffect: 0.05, budgetMinutes: 0.5 },
    experiments: {
      latency: { warmupMs: 150, durationMs: 400 },
      startup: { warmupMs: 50, startAtMs: 100, durationMs: 1200 },
      'first-packet': { startAtMs: 100, durationMs: 1200 },
      'control-plane': { warmupMs: 50, durationMs: 1000, proxies: 1, everyMs: 500 },
      isolation: { warmupMs: 100, durationMs: 400 },
      'blast-radius': { warmupMs: 100, durationMs: 2000, killAtMs: 200, backAtMs: 400 },
      pauses: { warmupMs: 100, durationMs: 600, pauseMs: 30, everyMs: 300 },
      footprint: { warmupMs: 100, durationMs: 300, replicas: [1, 2, 3] },
      'scale-out': { warmupMs: 100, durationMs: 300, units: [1, 2, 3] },
      modes: { warmupMs: 100, durationMs: 400 },
    },
    without: [
      ...['capacity', 'saturation', 'sweep', 'connect', 'stream'],
      ...['isolation', 'blast-radius', 'pauses', 'footprint', 'scale-out', 'modes'],
      ...['startup', 'first-packet', 'control-plane'],
    ],
  },
  quick: {
    summary: 'at most 3 min on two cores: a first answer',
    // Raising the arms and writing the report take what is left of its three minutes.
    rounds: { min: 6, max: 9, untilEffect: 0.05, budgetMinutes: 2.4 },
    experiments: {
      latency: { warmupMs: 200, durationMs: 1000 },
      capacity: { warmupMs: 100, durationMs: 400, maxProbes: 6 },
      saturation: { warmupMs: 200, durationMs: 800, rounds: 3 },
      sweep: { warmupMs: 200, durationMs: 700, rounds: 3 },
      connect: { warmupMs: 200, durationMs: 1000, rounds: 6 },
      stream: { warmupMs: 200, durationMs: 800, rounds: 4 },
      startup: { warmupMs: 100, durationMs: 1500 },
      'first-packet': { durationMs: 1500 },
      'control-plane': { warmupMs: 100, durationMs: 2000, proxies: 2, everyMs: 700 },
      isolation: { warmupMs: 200, durationMs: 1500 },
      'blast-radius': { warmupMs: 200, durationMs: 2500, killAtMs: 300, backAtMs: 700 },
      pauses: { warmupMs: 200, durationMs: 1500, pauseMs: 50, everyMs: 500 },
      footprint: { warmupMs: 150, durationMs: 600 },
      'scale-out': { warmupMs: 150, durationMs: 600 },
      modes: { warmupMs: 200, durationMs: 1000 },
    },
    without: [],
  },
  full: {
    summary: 'until every comparison is as precise as wanted, or the time budget ends',
    rounds: { min: 20, max: 200, untilEffect: 0.02, budgetMinutes: 60 },
    experiments: {
      latency: { warmupMs: 1000, durationMs: 5000 },
      capacity: { warmupMs: 1000, durationMs: 3000, maxProbes: 24, precision: 0.03 },
      saturation: { warmupMs: 1000, durationMs: 3000, rounds: 10 },
      sweep: { warmupMs: 1000, durationMs: 3000, rounds: 10 },
      connect: { warmupMs: 1000, durationMs: 5000, rounds: 20 },
      stream: { warmupMs: 1000, durationMs: 3000, rounds: 12 },
      startup: { warmupMs: 300, durationMs: 3000 },
      'first-packet': { durationMs: 3000 },
      'control-plane': { warmupMs: 500, durationMs: 10_000, proxies: 8 },
      isolation: { warmupMs: 500, durationMs: 3000 },
      'blast-radius': { warmupMs: 500, durationMs: 5000, killAtMs: 1000, backAtMs: 2000 },
      pauses: { warmupMs: 500, durationMs: 10_000 },
      footprint: { warmupMs: 500, durationMs: 2000, replicas: [1, 2, 4, 8, 16], rounds: 20 },
      'scale-out': { warmupMs: 500, durationMs: 2000, units: [1, 2, 4, 6, 8], rounds: 20, maxProbes: 16 },
      modes: { warmupMs: 500, durationMs: 3000 },
    },
    without: [],
  },
} satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles
export const profileNames = Object.keys(profiles) as ProfileName[]
