/** How the bench's figures are printed. */
import { mean, median } from '../../../harness/protocol/averages.js'
import type { Load, Round } from './peers/families.js'
import type { KernelCounts } from './counters.js'
import { type Interval, bootstrapMedian, pairedRatio } from './intervals.js'

interface Measured {
  readonly name: string
  readonly isFloor?: true
  readonly hops: readonly { readonly name: string }[]
  readonly rounds: readonly Round[]
}

const meanHop = ({ hopCpuUs }: Round): number => mean(hopCpuUs)

/**
 * Prints a table, what became of the load's bars, and how far the second subject is from the floor. False when a bar is
 * missed, or requests failed.
 */
export function printCpu(title: string, load: Load, measured: readonly Measured[]): boolean {
  const { unit = 'request' } = load
  const [reference, second] = measured
  if (reference === undefined) return false
  console.log(`\n${title}`)
  const hopNames = reference.hops.map(({ name }) => name).join(' / ')
  console.log(row('', `CPU µs/${unit}/hop`, hopNames, 'CPU ratio', `${unit}s/s`, 'rate ratio', 'errors'))
  for (const subject of measured) {
    const rates = (of: Measured): number[] => of.rounds.map((round) => round.requestsPerSecond)
    const perHop = subject.hops.map((_, hop) => median(subject.rounds.map((r) => r.hopCpuUs[hop] as number)))
    console.log(
      row(
        subject.name,
        interval(bootstrapMedian(subject.rounds.map(meanHop)), unit === 'GiB' ? 0 : 1),
        perHop.map((us) => us.toFixed(unit === 'GiB' ? 0 : 1)).join(' / '),
        subject === reference ? '1' : interval(cpuRatio(subject, reference), 2),
        rate(median(rates(subject))),
        subject === reference ? '1' : interval(pairedRatio(rates(subject), rates(reference)), 2),
        String(errorsOf(subject)),
      ),
    )
  }
  let ok = measured.every((subject) => errorsOf(subject) === 0)
  for (const [against, maxCpuRatio] of Object.entries(load.bars ?? {})) {
    const peer = measured.find(({ name }) => name === against)
    if (peer === undefined || second === undefined) continue
    const ratio = cpuRatio(second, peer)
    const state = ratio.high <= maxCpuRatio ? 'met' : ratio.low > maxCpuRatio ? 'missed' : 'undecided'
    if (state === 'missed') ok = false
    console.log(`${second.name}: ${interval(ratio, 2)} × ${against}, at most ${maxCpuRatio}: ${state}`)
  }
  const floor = measured.find(({ isFloor }) => isFloor)
  if (floor !== undefined && second !== undefined && second !== floor)
    console.log(`${second.name}: ${interval(cpuRatio(second, floor), 2)} × ${floor.name}`)
  return ok
}

const rate = (perSecond: number): string => perSecond.toFixed(perSecond < 10 ? 2 : 0)

function cpuRatio(a: Measured, b: Measured): Interval {
  return pairedRatio(a.rounds.map(meanHop), b.rounds.map(meanHop))
}

function errorsOf({ rounds }: Measured): number {
  return rounds.reduce((sum, { errors }) => sum + errors, 0)
}

/** Counts are per request and hop. */
export function printCounters(
  counted: readonly { readonly name: string; readonly counts: KernelCounts }[],
): void {
  console.log(
    row('per request and hop', 'system calls', 'read / write', 'epoll_wait / _ctl', 'futex', 'switches'),
  )
  for (const { name, counts } of counted) {
    const n = (key: keyof KernelCounts): string => counts[key].toFixed(2)
    console.log(
      row(
        name,
        n('calls'),
        `${n('read')} / ${n('write')}`,
        `${n('epoll_wait')} / ${n('epoll_ctl')}`,
        n('futex'),
        n('switches'),
      ),
    )
  }
}

/** Bytes of memory by hop: at rest, after the loads with 1 000 connections, at most. */
export function printMemory(
  rows: readonly (readonly [name: string, ...memory: (readonly number[])[]])[],
): void {
  console.log(row('', 'MiB at rest', 'MiB, 1000 connections', 'peak MiB'))
  for (const [name, ...memory] of rows) console.log(row(name, ...memory.map(mib)))
}

function row(...cells: string[]): string {
  const widths = [24, 20, 22, 18, 14, 18, 6]
  return cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 12))
    .join(' ')
    .trimEnd()
}

export function interval({ value, low, high }: Interval, digits: number): string {
  return `${value.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`
}

function mib(bytes: readonly number[]): string {
  return bytes.map((n) => (n / 2 ** 20).toFixed(0)).join(' / ')
}
