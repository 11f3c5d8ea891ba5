/**
 * Finds what killed runs left on the cluster of kubectl's current context by the label of a run, and nothing else: namespaces,
 * meshes that were installed, what of them belongs to the whole cluster, and the user's manifests that were laid over them.
 */
import { defined } from '../../../harness/model/defined.js'
import type { PlatformLeftover } from '../../../harness/model.js'
import { meshLabel } from '../../../harness/model/cluster-access.js'
import { remover } from '../../meshes/declared.js'
import { Kubectl } from '../cluster/api/kubectl.js'
import { removeNamespaces } from '../cluster/namespaces.js'
import { labelValue, machineLabel, machineName, runLabel } from '../cluster/render/names.js'
import { findTool } from '../../supply/tools.js'

/** A cluster that cannot be reached holds nobody up; one that can has many kinds to list. */
const lookTimeoutMs = 8_000
const listTimeoutMs = 60_000
const requestTimeout = '--request-timeout=5s'

/** Kinds that what a run lays over a whole cluster is of. */
const wideKinds = 'customresourcedefinitions,validatingadmissionpolicies,validatingadmissionpolicybindings'

interface NamespaceList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string
      readonly labels: Readonly<Record<string, string>>
      readonly deletionTimestamp?: string
    }
  }[]
}

interface Left {
  readonly namespaces: string[]
  readonly meshes: string[]
  /** As kubectl takes objects: `customresourcedefinition/…`. */
  readonly wide: string[]
  /** Objects of any other kind outside of these namespaces, by their own, which is empty for the whole cluster. */
  readonly others: { readonly object: string; readonly namespace: string }[]
}

/**
 * By run. Without a run id those alone that this machine made: whether a run on another machine is still alive cannot be
 * told from here. Nothing where there is no kubectl, no context or no answer.
 */
export async function contextLeftovers(runId?: string): Promise<readonly PlatformLeftover[]> {
  const path = await findTool('kubectl').catch(() => undefined)
  if (path === undefined) return []
  const helmPath = await findTool('helm').catch(() => undefined)
  const options = { path, runId: 'clean', signal: new AbortController().signal, ...defined({ helmPath }) }
  const look: Look = (kubectl, args, timeoutMs = lookTimeoutMs) =>
    kubectl.output(args, { timeoutMs }).catch(() => '')
  const context = (await look(new Kubectl(options), ['config', 'current-context'])).trim()
  if (context === '') return []
  // By its name: another context may be the current one by the time that they are removed.
  const kubectl = new Kubectl({ ...options, context })
  const selector =
    runId === undefined ? `${runLabel},${machineLabel}=${machineName()}` : `${runLabel}=${labelValue(runId)}`
  const text = await look(kubectl, ['get', 'namespaces', '-l', selector, '-o', 'json', requestTimeout])
  if (text === '') return []
  const byRun = new Map<string, Left>()
  const leftOf = (owner: string) => {
    const left = byRun.get(owner) ?? { namespaces: [], meshes: [], wide: [], others: [] }
    byRun.set(owner, left)
    return left
  }
  for (const { metadata } of (JSON.parse(text) as NamespaceList).items) {
    const { [runLabel]: owner, [meshLabel]: mesh = '' } = metadata.labels
    if (owner === undefined || metadata.deletionTimestamp !== undefined) continue
    if (remover(mesh)) leftOf(owner).meshes.push(mesh)
    else leftOf(owner).namespaces.push(metadata.name)
  }
  const found = (kinds: string) => lookForObjects(look, kubectl, selector, kinds)
  for (const { owner, kind, name } of await found(wideKinds)) leftOf(owner).wide.push(`${kind}/${name}`)
  // All kinds of a cluster are many to ask for, and no run lays one over it before it has made its namespaces.
  if (byRun.size > 0) {
    const going = new Set((JSON.parse(text) as NamespaceList).items.map(({ metadata }) => metadata.name))
    for (const { owner, kind, group, name, namespace } of await found(await otherKinds(look, kubectl)))
      if (!going.has(namespace)) leftOf(owner).others.push({ object: `${kind}${group}/${name}`, namespace })
  }
  return [...byRun].map(([owner, left]) => ({
    runId: owner,
    title: `${titleOf(left)} of the context ${context}`,
    remove: () => remove(kubectl, owner, left),
  }))
}

type Look = (kubectl: Kubectl, args: readonly string[], timeoutMs?: number) => Promise<string>

/** What carries the mark of a run. None of kinds that may not be listed: who may not had no run make any. */
async function lookForObjects(look: Look, kubectl: Kubectl, selector: string, kinds: string) {
  if (kinds === '') return []
  const owner = `{.metadata.labels.${runLabel.replaceAll('.', '\\.')}}`
  const fields = `${owner} {.apiVersion} {.kind} {.metadata.name} {.metadata.namespace}`
  const path = `jsonpath={range .items[*]}${fields}{"\\n"}{end}`
  const args = ['get', kinds, '-A', '-l', selector, '-o', path, requestTimeout]
  const text = await look(kubectl, args, listTimeoutMs)
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [owner = '', apiVersion = '', kind = '', name = '', namespace = ''] = line.split(' ')
      const [group, version] = apiVersion.split('/')
      // Two groups may have a kind of one name; the core group has no name, and its kinds are told without.
      const suffix = version === undefined ? '' : `.${version}.${group}`
      return { owner, kind: kind.toLowerCase(), group: suffix, name, namespace }
    })
}

/** Names of all kinds that can go, but for those that are looked for by themselves and those that go with their pods. */
async function otherKinds(look: Look, kubectl: Kubectl): Promise<string> {
  const args = ['api-resources', '--verbs=list,delete', '-o', 'name', requestTimeout]
  const elsewhere = /^(namespaces|pods|events|nodes|customresourcedefinitions|validatingadmission\w+)(\.|$)/
  return (await look(kubectl, args))
    .split('\n')
    .filter((kind) => kind !== '' && !elsewhere.test(kind))
    .join(',')
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`

function titleOf({ namespaces, meshes, wide, others }: Left): string {
  const parts = [
    ...(namespaces.length === 0 ? [] : [counted(namespaces.length, 'namespace')]),
    ...meshes,
    ...(wide.length === 0 ? [] : [`${counted(wide.length, 'object')} of the whole cluster`]),
    ...(others.length === 0 ? [] : [`${counted(others.length, 'object')} from manifests`]),
  ]
  return parts.join(', ')
}

/** In the order in which a run's end takes it: arms, manifests, meshes, and last what their objects are defined by. */
async function remove(
  kubectl: Kubectl,
  owner: string,
  { namespaces, meshes, wide, others }: Left,
): Promise<void> {
  await removeNamespaces(kubectl, namespaces)
  for (const { object, namespace } of others) {
    const where = namespace === '' ? [] : ['-n', namespace]
    await kubectl.run(['delete', object, ...where, '--ignore-not-found', '--wait=false'])
  }
  for (const mesh of meshes)
    await remover(mesh)?.({
      kubectl: (args, options) => kubectl.run(args, options),
      helm: (args, options) => kubectl.helm(args, options),
    })
  if (wide.length > 0) await removeWide(kubectl, owner, wide)
}

const listed = 3

/** Definitions would take along what others have made by them since, which no run did. */
async function removeWide(kubectl: Kubectl, owner: string, wide: readonly string[]): Promise<void> {
  const kinds = wide.flatMap((object) => /^customresourcedefinition\/(.+)$/.exec(object)?.[1] ?? [])
  const get = ['get', kinds.join(','), '--all-namespaces', '--ignore-not-found', '-o', 'name']
  const used = kinds.length === 0 ? [] : (await kubectl.run(get)).split('\n').filter(Boolean)
  if (used.length > 0)
    throw new Error(
      `the definitions of the whole cluster stay, since there are objects by them that no run made, such as ${used.slice(0, listed).join(', ')}; ` +
        `\`kubectl label ${wideKinds} -l ${runLabel}=${owner} ${runLabel}-\` makes them yours`,
    )
  await kubectl.run(['delete', ...wide, '--ignore-not-found', '--timeout=50s'])
}
