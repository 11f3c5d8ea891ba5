/** How busy a generator was: read when a trial is judged, and again when it is told of. */
import type { Usage } from './journal.js'
import type { LoadSpec } from '../protocol/spec.js'

/** CPU of the generator as a share of what it may use: a core for each worker of each generator. */
export function generatorCpuShare(
  spec: Pick<LoadSpec, 'workers'>,
  generators: number,
  { windowMs, components }: Usage,
): number | undefined {
  const generator = components.find(({ category }) => category === 'generator')
  if (!generator || windowMs <= 0) return undefined
  return generator.cpuNs / (windowMs * 1e6) / ((spec.workers ?? 1) * generators)
}
