/** What tests on real clusters of kind share: an image of the nodes that is here already, or why they are skipped. */
import { run } from '../../../harness/process/exec.js'
import type { Path } from '../../../harness/model.js'
import { findEngine, isMissing } from '../docker/engine.js'
import { findTool } from '../../supply/tools.js'
import { findClusters } from './clean.js'
import { kind } from './kind.js'
import { requestFor } from '../kit/testing.js'

export interface KindForTests {
  readonly platformSettings: { readonly kind: Readonly<Record<string, unknown>> }
  /** Why nothing can run here; empty where it can. */
  readonly reason: string
}

export async function kindForTests(paths: readonly Path[]): Promise<KindForTests> {
  const nodeImage = await findNodeImage()
  if (nodeImage === undefined) {
    return {
      platformSettings: { kind: {} },
      reason: 'no kindest/node image in the engine (or no engine); set MESHBENCH_NODE_IMAGE, or pull one',
    }
  }
  const platformSettings = { kind: { nodeImage } }
  const unmet = await kind.check(requestFor(kind, { paths, platformSettings }))
  return { platformSettings, reason: unmet.map(({ need, found }) => `${need}: ${found}`).join('; ') }
}

/** The node image to use, since the pinned one may not be here: tests pull nothing. */
async function findNodeImage(): Promise<string | undefined> {
  const engine = await findEngine()
  if (isMissing(engine)) return undefined
  const images = await engine.docker.listImages({ filters: { reference: ['kindest/node'] } })
  return process.env.MESHBENCH_NODE_IMAGE ?? images.flatMap(({ RepoTags: tags }) => tags ?? []).at(0)
}

/** Names of the clusters of a run, or of all runs. */
export async function clustersOf(runId?: string): Promise<readonly string[]> {
  const engine = await findEngine()
  return isMissing(engine) ? [] : (await findClusters(engine.docker, runId)).map(({ name }) => name)
}

/** Writes the kubeconfig of a run's only cluster to a file, and returns the cluster's name. */
export async function exportKubeconfig(runId: string, file: string): Promise<string> {
  const [cluster = 'no cluster'] = await clustersOf(runId)
  const kind = (await findTool('kind')) ?? 'kind'
  await run([kind, 'export', 'kubeconfig', '--name', cluster, '--kubeconfig', file])
  return cluster
}

/** Settings of the kubernetes platform for a cluster of kind: images that its nodes have, and its nodes by their roles. */
export async function asExisting(cluster: string): Promise<{ images: object; nodeSelectors: object }> {
  const argv = ['ctr', '--namespace', 'k8s.io', 'images', 'list', '--quiet']
  const { stdout: list } = await run(['docker', 'exec', `${cluster}-worker`, ...argv])
  const imageOf = (program: string) =>
    list.split('\n').find((reference) => reference.includes(`meshbench/${program}:`)) ?? `no ${program}`
  return {
    images: Object.fromEntries(
      ['echo', 'tunnel', 'proxy', 'loadgen'].map((program) => [program, imageOf(program)]),
    ),
    nodeSelectors: Object.fromEntries(
      ['client', 'server', 'waypoint'].map((role) => [role, { 'meshbench.role': role }]),
    ),
  }
}
