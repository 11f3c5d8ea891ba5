/** Finds what killed runs left on the cluster of kubectl's current context: namespaces with the label of a run, and no others. */
import type { PlatformLeftover } from '../../../harness/model.js'
import { Kubectl } from '../cluster/api/kubectl.js'
import { labelValue, machineLabel, machineName, runLabel } from '../cluster/render/names.js'
import { findTool } from '../../supply/tools.js'

/** A cluster that cannot be reached holds nobody up. */
const lookTimeoutMs = 8_000
const requestTimeout = '--request-timeout=5s'

interface NamespaceList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string
      readonly labels: Readonly<Record<string, string>>
      readonly deletionTimestamp?: string
    }
  }[]
}

/**
 * By run. Without a run id those alone that this machine made: whether a run on another machine is still alive cannot be
 * told from here. Nothing where there is no kubectl, no context or no answer.
 */
export async function namespaceLeftovers(runId?: string): Promise<readonly PlatformLeftover[]> {
  const path = await findTool('kubectl').catch(() => undefined)
  if (path === undefined) return []
  const options = { path, runId: 'clean', signal: new AbortController().signal }
  const look = (kubectl: Kubectl, args: readonly string[]) =>
    kubectl.run(args, { timeoutMs: lookTimeoutMs }).catch(() => '')
  const context = (await look(new Kubectl(options), ['config', 'current-context'])).trim()
  if (context === '') return []
  // By its name: another context may be the current one by the time that they are removed.
  const kubectl = new Kubectl({ ...options, context })
  const selector =
    runId === undefined ? `${runLabel},${machineLabel}=${machineName()}` : `${runLabel}=${labelValue(runId)}`
  const text = await look(kubectl, ['get', 'namespaces', '-l', selector, '-o', 'json', requestTimeout])
  if (text === '') return []
  const byRun = new Map<string, string[]>()
  for (const { metadata } of (JSON.parse(text) as NamespaceList).items) {
    const owner = metadata.labels[runLabel]
    if (owner === undefined || metadata.deletionTimestamp !== undefined) continue
    byRun.set(owner, [...(byRun.get(owner) ?? []), metadata.name])
  }
  return [...byRun].map(([owner, names]) => ({
    runId: owner,
    title: `${names.length} namespaces of the context ${context}`,
    remove: () => removeNamespaces(kubectl, names),
  }))
}

/** Their pods go at once, as in what a run deletes itself (infra/platforms/cluster/namespaces.ts). */
async function removeNamespaces(kubectl: Kubectl, names: readonly string[]): Promise<void> {
  const remove = (wait: string) =>
    kubectl.run(['delete', 'namespaces', ...names, '--ignore-not-found', wait, '--timeout=120s'], {
      timeoutMs: 150_000,
    })
  await remove('--wait=false')
  const now = ['--grace-period=0', '--force', '--wait=false']
  // Who may delete a namespace need not be allowed this; then they take their time.
  for (const name of names) await kubectl.run(['delete', 'pods', '--all', '-n', name, ...now]).catch(() => {})
  await remove('--wait=true')
}
