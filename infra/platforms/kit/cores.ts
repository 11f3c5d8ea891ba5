/** Lists of cores, as `taskset -c` and a container engine's cpusets take them: `0`, `0,2`, `1-3`. */
import { z } from 'zod'

interface Range {
  readonly first: number
  readonly last: number
}

function rangesOf(list: string): readonly Range[] {
  return list.split(',').map((part) => {
    const [first = NaN, last = first] = part.split('-').map(Number)
    return { first, last }
  })
}

export const coreList = z
  .string()
  .regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'cores are numbers and ranges, for example "0" or "1-3"')
  .refine(
    (list) => rangesOf(list).every(({ first, last }) => first <= last),
    'a range counts upwards, as "1-3" does',
  )

/** Whether all cores of a list are among those of another. */
export function areCoresOf(list: string, others: string): boolean {
  const usable = rangesOf(others)
  return rangesOf(list).every((range) =>
    usable.some(({ first, last }) => first <= range.first && range.last <= last),
  )
}
