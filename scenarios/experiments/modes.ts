/** Where is the CPU of each path spent, in the programs of the hops or in the kernel on their behalf? */
import { z } from 'zod'
import { metric, per1000 } from '../metrics.js'
import { called, openLoop, type Experiment } from './experiment.js'
import { openLoopSettings, rate } from './load-settings.js'

const settings = z.strictObject({
  ratePerSecond: rate.default(1000),
  ...openLoopSettings({ warmupMs: 300, durationMs: 1500 }),
})

/** A kernel splits CPU by sampling at its ticks, which holds over many ticks alone. */
const tickNs = 1e7

const userCpu = metric({
  id: 'modes.user',
  title: 'CPU of the hops in user space, per 1\u202f000 requests',
  unit: 'ms',
  read: (reading) => per1000(reading, reading.bill?.hopsUserNs),
  resolution: (reading) => per1000(reading, tickNs) ?? 0,
})

const kernelCpu = metric({
  id: 'modes.kernel',
  title: 'CPU of the hops in the kernel, per 1\u202f000 requests',
  unit: 'ms',
  read: (reading) => per1000(reading, reading.bill?.hopsSystemNs),
  resolution: (reading) => per1000(reading, tickNs) ?? 0,
})

/** Soft interrupts are in nobody's name: host less what it does when nothing runs is what tells of them. */
const softirqCpu = metric({
  id: 'modes.softirq',
  title: 'Soft interrupts of the whole host, per 1\u202f000 requests',
  unit: 'ms',
  read: (reading) => per1000(reading, reading.trial.usage?.hostSoftirqNs),
  resolution: (reading) => per1000(reading, tickNs) ?? 0,
})

const caption = 'User and system time as the kernel samples them; interrupts are the host’s and no hop’s.'

export const modes = {
  name: 'modes',
  question: 'Where is the CPU of each path spent, in user space or in the kernel?',
  settings,
  loads: (own) => [called('by mode', openLoop(own))],
  metrics: [userCpu, kernelCpu, softirqCpu],
  charts: [
    { name: 'modes-user', title: 'CPU of the hops in user space', caption, metric: userCpu },
    { name: 'modes-kernel', title: 'CPU of the hops in the kernel', caption, metric: kernelCpu },
  ],
  claims: ['C10'],
} satisfies Experiment<z.infer<typeof settings>>
