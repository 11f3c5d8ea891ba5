/**
 * The application, and the copies of an arm that are units of its L7 capacity (`copySchema`): which of them have an
 * application of their own, and how many cores their hops may use; and how much a request brings up in all.
 */
import { totalmem } from 'node:os'
import { hasSidecarsAlone, unitNumber } from '../../../harness/model/plan.js'
import { calledServices, settingsOf } from '../../../harness/model/variants.js'
import type { Arm, Component, EnvironmentRequest, Path, Unmet, Workload } from '../../../harness/model.js'

/** The application of processes, containers and pods: what answers when a request has passed every hop. */
export const echoWorkload: Workload = {
  component: { name: 'echo', category: 'application', node: 'server' },
  program: { kind: 'image', image: 'echo' },
  listeners: ['http', 'tcp', 'admin'],
  files: {},
  config: ({ bindHost: host, ports }) => ({
    admin: { host, port: ports.admin },
    listeners: [
      { name: 'http', kind: 'http', host, port: ports.http },
      { name: 'tcp', kind: 'tcp', host, port: ports.tcp },
    ],
  }),
}

/** The application of one arm alone. */
export function echoWorkloadOf({ id }: Pick<Arm, 'id'>): Workload {
  return { ...echoWorkload, component: { ...echoWorkload.component, name: `${id}/echo`, arm: id } }
}

type Units = Pick<EnvironmentRequest, 'arms' | 'paths'>

export const isUnit = ({ copy }: Pick<Arm, 'copy'>) =>
  copy !== undefined && unitNumber(copy.which) !== undefined

/** A unit of sidecars stands beside an application, which is then for it alone; all others are answered by a shared one. */
export const ownsApplication = (arm: Pick<Arm, 'copy'>, path: Path) => isUnit(arm) && hasSidecarsAlone(path)

export const applicationOf = (arm: Pick<Arm, 'id' | 'copy'>, path: Path): Workload =>
  ownsApplication(arm, path) ? echoWorkloadOf(arm) : echoWorkload

function countApplications({ arms, paths }: Units): number {
  const owning = arms.filter((arm) => {
    const path = paths.find(({ name }) => name === arm.path)
    return path !== undefined && ownsApplication(arm, path)
  })
  return 1 + owning.length
}

/** What a request brings up beside its generator: hops, applications, and the services that functions of L7 hops call. */
export function countComponents({ arms, paths, config }: EnvironmentRequest): {
  readonly hops: number
  readonly applications: number
  readonly services: number
} {
  const counted = { hops: 0, applications: countApplications({ arms, paths }), services: 0 }
  for (const arm of arms) {
    const { hops = [] } = paths.find(({ name }) => name === arm.path) ?? {}
    counted.hops += hops.length
    if (hops.some(({ layer }) => layer === 'l7'))
      counted.services += calledServices(settingsOf(config, arm)).length
  }
  return counted
}

const mibPerComponent = 90

/** Memory that all arms need together with a generator, where there is less: on this host, or in an engine of so much. */
export function unmetMemory(request: EnvironmentRequest, engineBytes?: number): readonly Unmet[] {
  const { hops, applications, services } = countComponents(request)
  const neededMib = (hops + applications + services + 1) * mibPerComponent
  const foundMib = Math.round((engineBytes ?? totalmem()) / 2 ** 20)
  if (foundMib >= neededMib) return []
  const less = 'measure fewer arms at a time (--arm)'
  return [
    {
      need: `about ${neededMib} MiB of memory for ${hops} hops, ${applications === 1 ? 'a server' : `${applications} servers`}${services === 0 ? '' : `, ${services} called ${services === 1 ? 'service' : 'services'}`} and a generator`,
      found: `${foundMib} MiB${engineBytes === undefined ? '' : ' in the engine'}`,
      remedy: engineBytes === undefined ? less : `give the engine more memory, or ${less}`,
    },
  ]
}

/** Cores that a component may use because it is an L7 hop of a unit; undefined: as many as any other. */
export function cpusOf(arms: readonly Arm[], { arm: id, category }: Component): number | undefined {
  return category === 'l7' ? arms.find((arm) => arm.id === id)?.copy?.cpusPerHop : undefined
}

/** Most cores that a hop of a unit may use; undefined: none is limited. */
export function mostCpus({ arms }: Pick<Units, 'arms'>): number | undefined {
  const limits = arms.flatMap(({ copy }) => copy?.cpusPerHop ?? [])
  return limits.length === 0 ? undefined : Math.max(...limits)
}

/** Short, so that what has used its share waits for a few ms and not for most of the usual 100. */
const shortestPeriodUs = 10_000
/** The kernel takes no quota below 1 ms. */
const leastQuotaUs = 1_000

/** µs of CPU in each period of so many µs, as CFS bandwidth control has it (the kernel's Documentation/scheduler/sched-bwc.rst). */
export function bandwidth(cpus: number): { readonly quotaUs: number; readonly periodUs: number } {
  const periodUs = Math.max(shortestPeriodUs, Math.ceil(leastQuotaUs / cpus))
  return { quotaUs: Math.round(cpus * periodUs), periodUs }
}
