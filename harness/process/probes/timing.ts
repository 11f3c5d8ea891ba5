/** How well this host keeps time: nothing that is measured on it is truer than that. */
import { readHost } from './host.js'
import { run } from '../exec.js'
import { defined } from '../../model/defined.js'

export interface HostTiming {
  /** How late the kernel wakes a thread that sleeps for 1 ms. */
  readonly wakeUpLateP50Us: number
  readonly wakeUpLateP99Us: number
  /** Smallest difference between two readings of the clock that is not nothing. */
  readonly clockStepUs: number
  /** Share of the host's time that the hypervisor gave to others meanwhile. */
  readonly stealShare: number
  /** Source of the kernel's clock, for example `tsc`; undefined where it is not told. */
  readonly clockSource?: string
}

/** A second of sleeps, in a process of its own: this one has other things on its mind. */
const probe = `
const word = new Int32Array(new SharedArrayBuffer(4))
const late = []
for (let i = 0; i < 700; i++) {
  const before = performance.now()
  Atomics.wait(word, 0, 0, 1)
  late.push((performance.now() - before - 1) * 1000)
}
late.sort((a, b) => a - b)
let step = Infinity
for (let i = 0; i < 20000; i++) {
  const from = process.hrtime.bigint()
  let to = process.hrtime.bigint()
  while (to === from) to = process.hrtime.bigint()
  step = Math.min(step, Number(to - from) / 1000)
}
const fs = require('node:fs')
let source
try { source = fs.readFileSync('/sys/devices/system/clocksource/clocksource0/current_clocksource', 'utf8').trim() } catch {}
console.log(JSON.stringify({ p50: late[349], p99: late[692], step, source }))
`

export async function measureTiming(options: { readonly runId?: string } = {}): Promise<HostTiming> {
  const before = await readHost()
  const { stdout } = await run([process.execPath, '-e', probe], options)
  const after = await readHost()
  const found = JSON.parse(stdout) as { p50: number; p99: number; step: number; source?: string }
  const round = (us: number) => Number(us.toPrecision(3))
  return {
    wakeUpLateP50Us: round(found.p50),
    wakeUpLateP99Us: round(found.p99),
    clockStepUs: round(found.step),
    stealShare: (after.stealNs - before.stealNs) / ((after.atNs - before.atNs) * after.cpus),
    ...defined({ clockSource: found.source }),
  }
}
