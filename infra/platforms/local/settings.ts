/** Settings of the local platform: on which cores generator, server and hops run. */
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { findProgram } from '../../../harness/process/exec.js'
import type { Component, Unmet } from '../../../harness/model.js'

/** As `taskset -c` takes them: `0`, `0,2`, `1-3`. */
const cores = z
  .string()
  .regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'cores are numbers and ranges, for example "0" or "1-3"')
  .optional()

/** Each part that is named stays on its cores; the others go where the kernel puts them. */
export const pinSettings = z
  .strictObject({
    /** Cores of the load generator. */
    generator: cores,
    /** Cores of the application. */
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

/** What pinning needs and this host lacks. */
export async function unmetPins({ pin }: LocalSettings): Promise<readonly Unmet[]> {
  const wanted = Object.entries(pin).filter(([, list]) => list !== undefined)
  if (wanted.length === 0) return []
  const unmet: Unmet[] = []
  if ((await findProgram('taskset')) === undefined)
    unmet.push({
      need: 'taskset, to pin processes to cores',
      found: 'no taskset on the PATH',
      remedy: 'install util-linux, or leave platformSettings.local.pin out',
    })
  const last = availableParallelism() - 1
  for (const [part, list = ''] of wanted) {
    const highest = Math.max(...list.split(/[,-]/).map(Number))
    if (highest > last)
      unmet.push({
        need: `core ${highest} for platformSettings.local.pin.${part}`,
        found: `cores 0 to ${last}`,
        remedy: `name cores up to ${last}`,
      })
  }
  return unmet
}

export type Pinned = keyof LocalSettings['pin']

/** Which part of the pinning a component belongs to. */
export function pinOf({ category }: Pick<Component, 'category'>): Pinned {
  return category === 'application' ? 'server' : category === 'generator' ? 'generator' : 'hops'
}

/** The command on the cores of its part; `taskset` replaces itself by the command, so that the pid is the command's. */
export function pinned(argv: readonly string[], part: Pinned, { pin }: LocalSettings): readonly string[] {
  const list = pin[part]
  return list === undefined ? argv : ['taskset', '-c', list, ...argv]
}
