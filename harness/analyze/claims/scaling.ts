/**
 * The second half of C4: whether the L7 part of a sidecarless mesh scales on its own. One more unit of it takes memory of the
 * mesh and none of the application, where one more sidecar comes with an application.
 */
import { applicationMemory, l7Memory } from '../../../scenarios/experiments/scale-out.js'
import type { Estimate } from '../../model.js'
import { fitLine, slopeOf } from '../../stats/line.js'
import { analyzeKnee } from '../cells/knees.js'
import { level } from '../estimates.js'
import type { CellGroup, Run } from '../readings.js'
import { withInterval } from '../words.js'
import { decide, lessShareOf, type Bounds, type Decision, type Located } from './decision.js'
import { fromLine, lineOf, sidecarless, sidecars, stepsOf, type Steps } from './steps.js'

export const scalingLimits = {
  /** A unit whose application adds less than this share of what a sidecar's adds leaves the application as it is. */
  unchanged: 0.1,
}

/** Undefined where the run has no steps of both kinds on this mesh. */
export function scalingOf(run: Run, groups: readonly CellGroup[], mesh: string) {
  const steps = stepsOf(run, groups, mesh, 'scale-out')
  const slope = (path: string, metric: typeof l7Memory | typeof applicationMemory) => {
    const values = steps.of(path, metric)
    const line = lineOf(values)
    return line && fromLine('MiB', slopeOf(line), line, values, 'units')
  }
  const path = sidecarless.find((name) => slope(name, l7Memory))
  if (path === undefined) return undefined
  const [ownMesh, ownApplication] = [slope(sidecars, l7Memory), slope(sidecars, applicationMemory)]
  const [sharedMesh, sharedApplication] = [slope(path, l7Memory), slope(path, applicationMemory)]
  if (!ownMesh || !ownApplication || !sharedMesh || !sharedApplication) return undefined
  const gained = [path, sidecars].map((name) => gainOf(run, steps, name))
  const decision = verdictOfScaling({ ownMesh, ownApplication, sharedMesh, sharedApplication })
  const share = (growth: Estimate) => withInterval(growth, 'MiB')
  return {
    decision,
    sentence: `One more unit of L7 added ${share(sharedMesh)} of proxies and ${share(sharedApplication)} of application on ${path}; with sidecars, whose units come with an application each, ${share(ownMesh)} and ${share(ownApplication)}. ${meanings[decision]}`,
    figures: [
      [`memory of L7 hops that one more unit adds on ${path}`, sharedMesh],
      [`memory of the application that one more unit adds on ${path}`, sharedApplication],
      ['memory of L7 hops that one more unit adds with sidecars', ownMesh],
      ['memory of the application that one more unit adds with sidecars', ownApplication],
      [`requests a second that one more unit adds on ${path}`, gained[0]],
      ['requests a second that one more unit adds with sidecars', gained[1]],
    ] as const,
  }
}

/** What one more unit adds to the knee; undefined where it was not searched, or lies beyond what was tried. */
function gainOf(run: Run, steps: Steps, path: string): Estimate | undefined {
  const knees = steps.cellsOn(path).flatMap((cell) => {
    const { throughput, knee } = cell.search ? analyzeKnee(run, cell, cell.search) : {}
    if (!throughput || throughput.n === 0 || throughput.beyond || knee?.end === 'unfinished') return []
    return [{ x: cell.load.workloads ?? 1, y: throughput.value, throughput }]
  })
  const line = fitLine(knees)
  return (
    line && {
      ...slopeOf(line),
      unit: 'req/s',
      level,
      n: Math.min(...knees.map(({ throughput }) => throughput.n)),
      method: `least squares over the knees of ${knees.length} counts of units, Student’s t with ${line.df} degrees of freedom`,
      cells: knees.flatMap(({ throughput }) => throughput.cells),
    }
  )
}

const meanings: Readonly<Record<Decision, string>> = {
  supported: 'So L7 scales without the application there.',
  refuted: 'So L7 does not scale on its own there.',
  inconclusive: `That does not tell whether it scales on its own, which is read as less than ${scalingLimits.unchanged * 100} % of what a sidecar’s application adds.`,
}

/** What is decided of it, from what one more unit adds on either side, MiB. */
export function verdictOfScaling({
  ownMesh,
  ownApplication,
  sharedMesh,
  sharedApplication,
}: {
  readonly ownMesh: Bounds
  readonly ownApplication: Located
  readonly sharedMesh: Bounds
  readonly sharedApplication: Located
}): Decision {
  const adds = [ownMesh, ownApplication, sharedMesh].map((growth) => decide(growth, 0))
  // Below nothing lies no share of it that could be judged.
  if (adds[1] !== 'supported') return adds[1] === 'refuted' ? 'refuted' : 'inconclusive'
  const changes = decide(lessShareOf(sharedApplication, scalingLimits.unchanged, ownApplication), 0)
  if (changes === 'supported') return 'refuted'
  return changes === 'refuted' && adds.every((decision) => decision === 'supported')
    ? 'supported'
    : 'inconclusive'
}

/** C4 as a whole: both halves have to hold, and one that does not is enough; undefined: that half was not measured. */
export function bothHalves(growth: Decision | undefined, scaling: Decision | undefined): Decision {
  if (growth === 'refuted' || scaling === 'refuted') return 'refuted'
  // What sidecars add decides the claim alone where nobody asked for the rest.
  return growth === 'supported' && scaling !== 'inconclusive' ? 'supported' : 'inconclusive'
}
