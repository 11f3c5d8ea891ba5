/** Settings of the local platform: on which cores generator, server and hops run. */
import { cpus } from 'node:os'
import { z } from 'zod'
import { findProgram } from '../../../harness/process/exec.js'
import { textOf } from '../../../harness/process/probes/process.js'
import type { Component, Unmet } from '../../../harness/model.js'
import { areCoresOf, coreList } from '../kit/cores.js'

const cores = coreList.optional()

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

/** What pinning needs and this host lacks, by the platform whose settings ask for it; `allowed` as the kernel lists cores. */
export async function unmetPins(
  platform: string,
  { pin }: LocalSettings,
  allowed: string = allowedCores(),
): Promise<readonly Unmet[]> {
  const wanted = Object.entries(pin).filter((entry): entry is [string, string] => entry[1] !== undefined)
  if (wanted.length === 0) return []
  const field = `platformSettings.${platform}.pin`
  const barred = wanted
    .filter(([, list]) => !areCoresOf(list, allowed))
    .map(([part, list]) => ({
      need: `cores ${list} for ${field}.${part}`,
      found: `this process may use ${allowed}`,
      remedy: `name cores of ${allowed}, or start Meshbench where it may use more`,
    }))
  if ((await findProgram('taskset')) !== undefined) return barred
  const taskset = {
    need: 'taskset, to pin processes to cores',
    found: 'no taskset on the PATH',
    remedy: `install util-linux, or leave ${field} out`,
  }
  return [taskset, ...barred]
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
