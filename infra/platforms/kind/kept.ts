/** Finds a cluster that an earlier run left standing with `--keep`, so that `--reuse` saves the minute of making one. */
import { writeFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type Docker from 'dockerode'
import { run } from '../../../harness/process/exec.js'
import type { ClusterNeeds, Scope } from '../../../harness/model.js'
import { createStateDir, liveRuns } from '../../../harness/process/state.js'
import type { Kubectl } from '../cluster/api/kubectl.js'
import { removeNamespaces } from '../cluster/namespaces.js'
import { runLabel } from '../cluster/render/names.js'
import { clusterName, findClusters } from './clean.js'

export interface WantedCluster {
  readonly docker: Docker
  readonly kind: string
  /** Environment id, whose mesh the cluster must have been made for. */
  readonly environment: string
  readonly nodeImage: string
  readonly workers: number
  /** Only the cluster that this very run left in an earlier block. */
  readonly ownOnly: boolean
  /** Whether it is as it would be made now, as far as its nodes do not tell. */
  readonly fits: (kept: KeptCluster) => Promise<boolean>
  readonly scope: Scope
}

/** A cluster that was found, with the path of its kubeconfig. */
export interface KeptCluster {
  readonly name: string
  readonly kubeconfig: string
}

/**
 * The first cluster that was made for the same mesh, with as many nodes of the same image, all of them up, that fits, and
 * that no living run uses; undefined when there is none. It is marked as in use until the scope is closed, so that
 * `meshbench clean` leaves it alone.
 */
export async function findKept(wanted: WantedCluster): Promise<KeptCluster | undefined> {
  const { docker, kind, environment, nodeImage, workers, ownOnly, fits, scope } = wanted
  const alive = await liveRuns()
  for (const { name, runId: owner, nodes } of await findClusters(docker)) {
    const isOwn = owner === scope.runId
    if ((!isOwn && (ownOnly || alive.has(owner))) || name !== clusterName(owner, environment)) continue
    const isUp = nodes.every(({ State, Image }) => State === 'running' && Image === nodeImage)
    if (nodes.length !== 1 + workers || !isUp) continue
    const kubeconfig = join(scope.stateDir, `${name}.kubeconfig`)
    const { stdout } = await run([kind, 'get', 'kubeconfig', '--name', name], { runId: scope.runId })
    await writeFile(kubeconfig, stdout, { mode: 0o600 })
    if (!(await fits({ name, kubeconfig }))) continue
    if (!isOwn) {
      const lease = await createStateDir(owner)
      scope.defer(`give the cluster ${name} back`, () => rm(lease, { recursive: true, force: true }))
    }
    return { name, kubeconfig }
  }
  return undefined
}

/**
 * Whether a cluster has the network that is needed. A mesh's settings decide it, and neither the cluster's name nor its
 * nodes tell: Cilium would be laid over kindnet and kube-proxy, or be taken for them.
 */
export async function hasNetwork(
  kubectl: Pick<Kubectl, 'run'>,
  { defaultCni, kubeProxy }: ClusterNeeds,
): Promise<boolean> {
  const get = ['get', 'daemonsets', '-n', 'kube-system', '-o', 'name']
  const names = (await kubectl.run(get, { timeoutMs: 20_000 })).split('\n')
  const has = (name: string) => names.includes(`daemonset.apps/${name}`)
  return has('kube-proxy') === kubeProxy && (defaultCni || !has('kindnet'))
}

/** Removes what earlier runs left in a kept cluster, or are still leaving. */
export async function emptyCluster(kubectl: Pick<Kubectl, 'run'>): Promise<void> {
  const names = await kubectl.run(['get', 'namespaces', '--selector', runLabel, '-o', 'name'])
  await removeNamespaces(
    kubectl,
    names.split('\n').flatMap((name) => /^namespace\/(.+)$/.exec(name)?.[1] ?? []),
  )
}

/** References that some node does not have yet. */
export async function missingImages(
  nodeExec: (node: string, argv: readonly string[]) => Promise<string>,
  nodes: readonly string[],
  references: readonly string[],
): Promise<readonly string[]> {
  const lists = await Promise.all(
    nodes.map((node) => nodeExec(node, ['ctr', '--namespace', 'k8s.io', 'images', 'list', '--quiet'])),
  )
  // containerd names images in full: docker.io/library/…, or docker.io/… for a name with a slash.
  const has = (list: string, reference: string) =>
    list.split('\n').some((name) => name === reference || name.endsWith(`/${reference}`))
  return references.filter((reference) => !lists.every((list) => has(list, reference)))
}
