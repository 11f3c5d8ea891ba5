/** Settings of the local platform: on which cores generator, server and hops run. */
import { cpus } from 'node:os'
import { z } from 'zod'
import { findProgram } from '../../../harness/process/exec.js'
import { textOf } from '../../../harness/process/probes/process.js'
import type { Component, Unmet } from '../../../harness/model.js'

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

/** As `taskset -c` takes them: `0`, `0,2`, `1-3`. */
const cores = z
  .string()
  .regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'cores are numbers and ranges, for example "0" or "1-3"')
  .refine(
    (list) => rangesOf(list).every(({ first, last }) => first <= last),
    'a range counts upwards, as "1-3" does',
  )
  .optional()

/** Each part that is named stays on its cores; the others go where the kernel puts them. */
export const pinSettings = z
  .strictObject({
    /** Cores of the load generator. */
    generator: cores,
    /** Cores of the application, and of the services that functions call. */
    server: cores,
    /** Cores that all hops share. */
    hops: cores,
  })
  .default({})

export const localSettings = z.strictObject({
  /** Which part stays on which cores, as `taskset -c` takes them: `0`, `0,2`, `1-3`. */
  pin: pinSettings,
})

export type LocalSettings = z.infer<typeof localSettings>

/** Cores that this process may use, which a cpuset or a caller's `taskset` may have narrowed; without procfs all there are. */
function allowedCores(): string {
  const status = textOf('/proc/self/status')
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? `0-${cpus().length - 1}`
}

/** What pinning needs and this host lacks; `allowed` as the kernel lists cores. */
export async function unmetPins(
  { pin }: LocalSettings,
  allowed: string = allowedCores(),
): Promise<readonly Unmet[]> {
  const wanted = Object.entries(pin).filter(([, list]) => list !== undefined)
  if (wanted.length === 0) return []
  const unmet: Unmet[] = []
  if ((await findProgram('taskset')) === undefined)
    unmet.push({
      need: 'taskset, to pin processes to cores',
      found: 'no taskset on the PATH',
      remedy: 'install util-linux, or leave platformSettings.local.pin out',
    })
  const usable = rangesOf(allowed)
  for (const [part, list = ''] of wanted) {
    const barred = rangesOf(list).filter(
      (range) => !usable.some(({ first, last }) => first <= range.first && range.last <= last),
    )
    if (barred.length > 0)
      unmet.push({
        need: `cores ${list} for platformSettings.local.pin.${part}`,
        found: `this process may use ${allowed}`,
        remedy: `name cores of ${allowed}, or start Meshbench where it may use more`,
      })
  }
  return unmet
}

export type Pinned = keyof LocalSettings['pin']

/** Which part of the pinning a component belongs to. */
export function pinOf({ category }: Pick<Component, 'category'>): Pinned {
  if (category === 'application' || category === 'called-service') return 'server'
  return category === 'generator' ? 'generator' : 'hops'
}

/** The command on the cores of its part; `taskset` replaces itself by the command, so that the pid is the command's. */
export function pinned(argv: readonly string[], part: Pinned, { pin }: LocalSettings): readonly string[] {
  const list = pin[part]
  return list === undefined ? argv : ['taskset', '-c', list, ...argv]
}
