/** The process that floods, so that what it costs itself can be measured: takes orders as JSON lines and answers each with one. */
import { createInterface } from 'node:readline'
import { attack, type AttackTarget } from './attack.js'
import { floodKinds, honest } from './kinds.js'
import { floodRequests } from './targets.js'

export interface Order extends Pick<AttackTarget, 'address' | 'pem'> {
  readonly kind: string
  readonly target: keyof typeof floodRequests
  readonly seconds: number
  /** Of one CPU, at most. */
  readonly cpuShare: number
}

export interface Report {
  readonly bytes: number
  readonly closed: number
  /** Of one CPU, as it was used. */
  readonly cpuShare: number
}

for await (const line of createInterface({ input: process.stdin })) {
  const { kind, target, address, pem, seconds, cpuShare } = JSON.parse(line) as Order
  const found = [honest, ...floodKinds].find(({ name }) => name === kind)
  if (found === undefined) throw new Error(`no flood is called ${kind}`)
  const startedAt = performance.now()
  const before = process.cpuUsage()
  const usedMs = (): number => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  const outcome = await attack(
    found,
    { address, pem, request: floodRequests[target] },
    seconds,
    () => usedMs() <= cpuShare * (performance.now() - startedAt),
  )
  const report: Report = { ...outcome, cpuShare: usedMs() / (performance.now() - startedAt) }
  process.stdout.write(`${JSON.stringify(report)}\n`)
}
