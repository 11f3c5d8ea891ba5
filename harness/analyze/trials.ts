/** Trials without their histograms, for tables and strips; and what was proved about each arm's path. */
import { cpu, cpuPerGib, transferRate } from '../../scenarios/metrics.js'
import { defined } from '../model/defined.js'
import type { Analysis, ProofCheck, Trial, TrialSummary } from '../model.js'
import { percentileOf } from '../stats/histogram.js'
import { generatorCpuShare } from '../model/journal.js'
import { bucketsOf, latencyMs, readMetric, type Run } from './readings.js'

export function summarizeTrial(run: Run, trial: Trial, oddities: readonly string[]): TrialSummary {
  const cell = run.cellOf.get(trial.cell)
  const { index, round, attempt, state, startedAt, ratePerSecond, error, reasons, load, usage } = trial
  const lag = bucketsOf(trial, 'sendLag')
  const timeoutMs = cell?.load.timeoutMs
  const optional = {
    ratePerSecond,
    p50Ms: latencyMs(trial, 'response', 50, timeoutMs) ?? latencyMs(trial, 'service', 50, timeoutMs),
    p99Ms: latencyMs(trial, 'response', 99, timeoutMs) ?? latencyMs(trial, 'service', 99, timeoutMs),
    achievedRatePerSecond: load?.achievedRatePerSecond,
    cpuMsPer1000: load && load.sent > 0 ? readMetric(run, trial, cpu) : undefined,
    connectP50Ms: latencyMs(trial, 'connect', 50, timeoutMs),
    connectP99Ms: latencyMs(trial, 'connect', 99, timeoutMs),
    firstByteP50Ms: latencyMs(trial, 'firstByte', 50, timeoutMs),
    firstByteP99Ms: latencyMs(trial, 'firstByte', 99, timeoutMs),
    ...(cell?.load.engine === 'stream' && load && load.sent > 0
      ? {
          gigabitsPerSecond: readMetric(run, trial, transferRate),
          cpuSecondsPerGib: readMetric(run, trial, cpuPerGib),
        }
      : {}),
    sendLagP99Us: lag && percentileOf(lag, 99),
    generatorCpuShare: usage && generatorCpuShare(cell?.load ?? {}, load?.generators ?? 1, usage),
    sent: load?.sent,
    unsent: load?.unknown?.includes('unsent') ? undefined : load?.unsent,
    errors: load && load.sent - load.ok,
    error,
  }
  return {
    ...{ index, round, cell: trial.cell, arm: cell?.arm ?? '', experiment: cell?.experiment ?? '' },
    ...{ attempt, state, startedAt, ...defined(optional), reasons },
    warnings: [...trial.warnings, ...oddities],
    proofFailures: trial.proof.filter(({ ok }) => !ok),
  }
}

/**
 * arm → checks made once; then those made at each trial, by name: how many trials made it, and whether all passed. The
 * first one that failed is shown, else the last. A check that did not hold where the trial counts all the same is none: a hop
 * was ended, or a request failed, and counters prove nothing of the path then.
 */
export function proofsOf(run: Run): Analysis['proofs'] {
  const proofs: Record<string, (ProofCheck & { trials?: number })[]> = {}
  for (const arm of run.plan.arms) {
    const once = run.environments.findLast(({ proofs: made }) => made[arm.id])?.proofs[arm.id] ?? []
    const repeated = new Map<string, ProofCheck & { trials: number }>()
    for (const trial of run.trials) {
      if (run.cellOf.get(trial.cell)?.arm !== arm.id) continue
      const proof = trial.state === 'ok' ? trial.proof.filter(({ ok }) => ok) : trial.proof
      for (const check of proof) {
        const before = repeated.get(check.name)
        const shown = before && !before.ok ? before : check
        repeated.set(check.name, { ...shown, trials: (before?.trials ?? 0) + 1 })
      }
    }
    const all = [...once, ...repeated.values()]
    if (all.length > 0) proofs[arm.id] = all
  }
  return proofs
}
