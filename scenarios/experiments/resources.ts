/** How experiments read memory and CPU of whatever grows in them. */
import type { TrialBill, TrialReading } from '../../harness/model.js'

const mib = 2 ** 20

/** MiB; undefined where the bytes are. */
export const memoryIn = (bytesOf: (bill: TrialBill) => number | undefined) =>
  ({
    unit: 'MiB',
    better: 'less',
    sample: 'process',
    read: ({ bill }: TrialReading) => {
      const bytes = bill && bytesOf(bill)
      return bytes === undefined ? undefined : bytes / mib
    },
    resolution: () => 4096 / mib,
  }) as const

/** Cores: seconds of CPU in each second, whether or not anybody asks for anything. */
export const coresIn = (nsOf: (bill: TrialBill) => number) =>
  ({
    unit: 'vCPU',
    better: 'less',
    sample: 'round',
    read: ({ bill, trial: { usage } }: TrialReading) =>
      bill && usage && usage.windowMs > 0 ? nsOf(bill) / 1e6 / usage.windowMs : undefined,
    resolution: ({ bill, trial: { usage } }: TrialReading) =>
      (bill?.hopsStepNs ?? 0) / 1e6 / Math.max(1, usage?.windowMs ?? 0),
  }) as const
