/** How many pods share a trial's load on a cluster, and where more than one cannot be. */
import { z } from 'zod'
import type { EnvironmentRequest, Fact, Unmet } from '../../../harness/model.js'
import { singleClientArms } from '../../meshes/declared.js'

/** One process drives some ten thousand requests a second; beyond that, and for tens of thousands of connections, more. */
export const generatorPods = z.number().int().min(1).max(16).default(1)

/** Each generator's pod has a sidecar of its own where the path has one: all of them must be counted. */
export function checkGeneratorPods(request: EnvironmentRequest, pods: number): readonly Unmet[] {
  const wrong = pods === 1 ? [] : singleClientArms(request)
  if (wrong.length === 0) return []
  return [
    {
      need: `one generator pod for ${wrong.join(', ')}, whose clients' counters cannot be added up`,
      found: `generatorPods: ${pods}`,
      remedy: 'set generatorPods to 1, or leave these arms out',
    },
  ]
}

export function generatorFacts(pods: number): readonly Fact[] {
  if (pods === 1) return []
  return [
    {
      name: 'generators',
      value: `${pods} pods on the client's node share each trial's connections and rate; a sidecar path has a sidecar in each`,
    },
  ]
}
