/**
 * Finds and removes clusters. A cluster's name is its label: it starts with the run that made it. Its nodes are asked of the engine,
 * as kind does it itself (pkg/cluster/internal/providers/docker), so that nothing is left where kind is not, or no longer; and
 * `kind delete cluster` fails where it may not write beside the user's own kubeconfig, which has no entry of ours.
 */
import type Docker from 'dockerode'
import { removeContainers } from '../docker/clean.js'
import { findEngine, isMissing } from '../docker/engine.js'
import { dnsLabel } from '../cluster/render/names.js'
import type { PlatformLeftover } from '../../../harness/model.js'

const prefix = 'mb'
/** Between run id and mesh; run ids hold no two hyphens in a row. */
const separator = '--'

/** `mb-<run id>--<mesh>`: short, since node names are made of it and have at most 63 characters. */
export function clusterName(runId: string, environment: string): string {
  const mesh = environment.split('/').at(-1) ?? environment
  return `${dnsLabel(prefix, runId)}${separator}${dnsLabel(mesh)}`
}

/** The run that a cluster belongs to, or undefined when it is none of ours. */
export function runOfCluster(name: string): string | undefined {
  return new RegExp(`^${prefix}-(.+)${separator}[a-z0-9-]+$`).exec(name)?.[1]
}

/** Of every node's container; its value is the cluster's name. */
const clusterLabel = 'io.x-k8s.kind.cluster'

export interface FoundCluster {
  readonly name: string
  readonly runId: string
  /** Containers, up or not. */
  readonly nodes: readonly Docker.ContainerInfo[]
}

/** Clusters of one run, or of all runs, by name. */
export async function findClusters(docker: Docker, runId?: string): Promise<readonly FoundCluster[]> {
  const containers = await docker.listContainers({ all: true, filters: { label: [clusterLabel] } })
  const nameOf = ({ Labels }: Docker.ContainerInfo) => Labels[clusterLabel] ?? ''
  return [...new Set(containers.map(nameOf))].sort().flatMap((name) => {
    const owner = runOfCluster(name)
    if (owner === undefined || (runId !== undefined && owner !== dnsLabel(runId))) return []
    return [{ name, runId: owner, nodes: containers.filter((node) => nameOf(node) === name) }]
  })
}

/** Nothing where there is no engine. */
export async function clusterLeftovers(runId?: string): Promise<readonly PlatformLeftover[]> {
  const engine = await findEngine()
  if (isMissing(engine)) return []
  const { docker } = engine
  return (await findClusters(docker, runId)).map(({ name, runId: owner }) => ({
    ...{ runId: owner, title: `the cluster ${name}`, remove: () => deleteCluster(docker, name) },
  }))
}

export const deleteCluster = (docker: Docker, name: string): Promise<void> =>
  removeContainers(docker, [`${clusterLabel}=${name}`])
