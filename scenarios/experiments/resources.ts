/** How experiments read memory and CPU of whatever grows in them. */
import type { TrialBill, TrialReading } from '../../harness/model.js'
import { mib, pageMib } from '../metrics.js'

/** How memory is told that grows in steps. */
export const sizes =
  'Proportional set size where the kernel tells it, under one total rate that does not grow'

/** MiB; undefined where the bytes are. */
export const memoryIn = (bytesOf: (bill: TrialBill) => number | undefined) =>
  ({
    unit: 'MiB',
    sample: 'process',
    read: ({ bill }: TrialReading) => {
      const bytes = bill && bytesOf(bill)
      return bytes === undefined ? undefined : bytes / mib
    },
    resolution: () => pageMib,
  }) as const

/** Cores: seconds of CPU in each second, whether or not anybody asks for anything. */
export const coresIn = (nsOf: (bill: TrialBill) => number) =>
  ({
    unit: 'vCPU',
    read: ({ bill, trial: { usage } }: TrialReading) =>
      bill && usage && usage.windowMs > 0 ? nsOf(bill) / 1e6 / usage.windowMs : undefined,
    resolution: ({ bill, trial: { usage } }: TrialReading) =>
      (bill?.hopsStepNs ?? 0) / 1e6 / Math.max(1, usage?.windowMs ?? 0),
  }) as const
