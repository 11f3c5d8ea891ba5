/** Lays what a user says over an installation from charts: values are merged as helm does it, and told as a difference. */
import { readFileSync } from 'node:fs'
import { parse, parseAllDocuments } from 'yaml'
import { messageOf, UserError } from '../../../harness/model/errors.js'
import type { ChartPin, Fact } from '../../../harness/model.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import { applyFile, undoing, type Step } from '../hops/steps.js'
import { secretsIn } from '../../../harness/model/secrets.js'
import type { ChartSettings, ValuesGiven, ValuesLayer } from './settings.js'

type Values = Readonly<Record<string, unknown>>

/** What stands where, as charts are told. */
export type Ground = Pick<ClusterAccess, 'nodes' | 'apiServer'>

/** Of a cluster that is not there yet. */
export const unknownGround: Ground = {
  nodes: {
    client: 'the client',
    server: 'the server',
    waypoint: 'the waypoint',
    'control-plane': 'the control plane',
  },
  apiServer: { host: 'the API server', port: 6443 },
}

/** A chart of a mesh, with the product's own values. */
export interface ChartRelease {
  readonly release: string
  readonly chart: ChartPin
  readonly values: object
}

/** The same with the user's values over them. */
export interface LaidRelease extends ChartRelease {
  readonly merged: object
}

/** Throws a `UserError` that names the field of what cannot be read. */
export function layValues(
  mesh: string,
  releases: readonly ChartRelease[],
  { values }: Pick<ChartSettings, 'values'>,
): readonly LaidRelease[] {
  return releases.map((release) => {
    const field = `meshSettings.${mesh}.values.${release.release}`
    return { ...release, merged: withValues(release.values, values[release.release], field) }
  })
}

/** What the user has laid over an installation, as plans and reports tell it. */
export function overlayFacts(
  mesh: string,
  releases: readonly LaidRelease[],
  { manifests, pullSecrets, mirrors }: Pick<ChartSettings, 'manifests' | 'pullSecrets' | 'mirrors'>,
): readonly Fact[] {
  return [
    ...releases.flatMap(({ release, values, merged }) => {
      const lines = valuesDifference(values, merged)
      return lines.length === 0 ? [] : [{ name: `${mesh} values of ${release}`, value: lines.join('; ') }]
    }),
    ...manifests.map((file) => ({ name: `${mesh} manifests of the user's`, value: file })),
    ...pullSecrets.map((file) => ({ name: `${mesh} pull secret`, value: file })),
    ...Object.entries(mirrors).map(([from, to]) => ({ name: `${mesh} mirror of ${from}`, value: to })),
  ]
}

/** Our values with the user's over them: objects are merged, anything else is replaced, as helm does it. */
export function withValues(ours: object, given: ValuesGiven | undefined, field: string): Values {
  const layers = given === undefined ? [] : [given].flat()
  return layers.map((layer) => readLayer(layer, field)).reduce(merge, ours as Values)
}

function readLayer(given: ValuesLayer, field: string): Values {
  if (typeof given !== 'string') return given
  const value = readYaml(given, `${field}: ${given} cannot be read as values`, (text): unknown => parse(text))
  if (!isObject(value)) throw new UserError(`${field}: ${given} holds no object of values`)
  return value
}

function readYaml<T>(file: string, problem: string, read: (text: string) => T): T {
  try {
    return read(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UserError(`${problem}: ${messageOf(error)}`, { cause: error })
  }
}

const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function merge(under: Values, over: Values): Values {
  const result = new Map(Object.entries(under))
  for (const [key, value] of Object.entries(over)) {
    const own = result.get(key)
    result.set(key, isObject(own) && isObject(value) ? merge(own, value) : value)
  }
  // Unlike an assignment, this makes a key of `__proto__`, too.
  return Object.fromEntries(result)
}

/** What the user's values change of ours: `path: ours → theirs`, sorted; nothing where they change nothing. */
export function valuesDifference(ours: unknown, merged: unknown, path = ''): readonly string[] {
  if (isObject(merged) && (isObject(ours) || ours === undefined) && Object.keys(merged).length > 0) {
    const keys = [...new Set([...Object.keys(ours ?? {}), ...Object.keys(merged)])].sort()
    return keys.flatMap((key) =>
      valuesDifference(ours?.[key], merged[key], path === '' ? key : `${path}.${key}`),
    )
  }
  const [before, after] = [JSON.stringify(ours), JSON.stringify(merged)]
  if (before === after) return []
  const told = secretsIn(merged, path.split('.')).length > 0 ? 'a secret' : after
  return [`${path}: ${before ?? 'not set'} → ${told ?? 'not set'}`]
}

/** Applies the user's own manifests, a file a step. */
export function manifestSteps(files: readonly string[]): readonly Step[] {
  return files.map((file) => ({
    title: file,
    async run({ cluster, undo }) {
      undo(
        `delete what ${file} made`,
        () => cluster.kubectl(['delete', '--ignore-not-found', '--wait=false', '-f', file], undoing),
        { evenIfKept: true },
      )
      await applyFile(cluster, file)
    },
  }))
}

/** Names of the Secrets in the user's files, as charts ask for them. Throws a `UserError` for a file without one. */
export function pullSecretNames(mesh: string, files: readonly string[]): readonly string[] {
  return files.flatMap((file) => {
    const problem = `meshSettings.${mesh}.pullSecrets: ${file} cannot be read as a Secret`
    const documents = readYaml(file, problem, (text) =>
      parseAllDocuments(text).map((document) => document.toJS() as unknown),
    )
    const names = documents.flatMap((document) => {
      const { kind, metadata } = (document ?? {}) as { kind?: string; metadata?: { name?: string } }
      return kind === 'Secret' && metadata?.name !== undefined ? [metadata.name] : []
    })
    if (names.length === 0) throw new UserError(`${problem}: there is none in it`)
    return names
  })
}

/** Puts the Secrets into a namespace that is there. */
export async function applyPullSecrets(
  { kubectl }: Pick<ClusterAccess, 'kubectl'>,
  namespace: string,
  files: readonly string[],
): Promise<void> {
  for (const file of files) await kubectl(['apply', '--server-side', '-n', namespace, '-f', file])
}

/** A namespace that the charts find made, with the Secrets in it before their pods ask for them. */
export function namespaceStep(title: string, namespace: string, files: readonly string[]): Step {
  return {
    title,
    async run({ cluster }) {
      // Helm would delete one that it had made the last time, and makes no more.
      const annotations = { 'helm.sh/resource-policy': 'keep' }
      const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, annotations } }
      await cluster.kubectl(['apply', '--server-side', '-f', '-'], { input: JSON.stringify(made) })
      await applyPullSecrets(cluster, namespace, files)
    },
  }
}

/** The same where there are Secrets; else the charts make it. */
export function pullSecretSteps(namespace: string, files: readonly string[]): readonly Step[] {
  return files.length === 0 ? [] : [namespaceStep(`pull secrets in ${namespace}`, namespace, files)]
}
