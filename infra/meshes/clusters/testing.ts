/** What the tests of Istio and Cilium share: installations on a cluster of transcripts, an arm's objects, test data. */
import { readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import type { Arm, Downloads, Mesh, MeshContext, Path, Progress, Scope } from '../../../harness/model.js'
import type { ArmObjects } from '../../../harness/model/cluster-access.js'
import { UserError } from '../../../harness/model/errors.js'
import { silentProgress } from '../../../harness/testing/scope.js'
import { paths } from '../../../scenarios/paths/index.js'
import { listPulls } from '../../supply/pull.js'
import { meshes } from '../index.js'
import { transcriptHost, type TranscriptCluster } from '../testdata/transcript-cluster.js'
import { testRequest } from '../../../harness/testing/request.js'

const testdata = (path: string) => fileURLToPath(new URL(`../testdata/${path}`, import.meta.url))
export const readTestdata = (path: string) => readFileSync(testdata(path), 'utf8')
export const transcript = (name: string) => readTestdata(`transcripts/${name}.txt`)
/** Path of a golden file, by its name with its ending. */
export const golden = (file: string) => testdata(`golden/${file}`)

export function testArm(mesh: string, path: string): Arm {
  return {
    id: `${mesh}/${path}`,
    mesh,
    path,
    role: 'subject',
    environment: `kind/${mesh}`,
    baseline: `${mesh}/baseline`,
  }
}

export interface InstallOptions {
  /** Of the mesh. Default: a cache of what has a digest to be checked by, and of nothing else. */
  readonly settings?: object
  readonly scope?: Partial<Scope>
  readonly progress?: Progress
}

/** What a mesh's `install` is given for arms of that mesh, on that cluster. */
export function meshContext(
  cluster: TranscriptCluster,
  mesh: string,
  arms: readonly Arm[],
  { settings = { cacheDir: pinnedCache }, scope = {}, progress = silentProgress }: InstallOptions = {},
): MeshContext {
  const config = { platform: cluster.isOwn ? 'kind' : 'kubernetes', meshSettings: { [mesh]: settings } }
  return {
    request: testRequest({ id: `kind/${mesh}`, config, arms, paths: Object.values<Path>(paths) }),
    host: transcriptHost(cluster),
    scope: {
      ...{ runId: 'r', stateDir: '/nonexistent', signal: new AbortController().signal, defer: () => {} },
      ...scope,
    },
    progress,
  }
}

/** Objects of an arm in the namespace `bench`. */
export const benchObjects: ArmObjects = {
  namespace: 'bench',
  service: { name: 'server', port: 8080 },
  clientSelector: 'app=client',
  serverSelector: 'app=server',
}
export const benchEndpoint = {
  ...{ host: '10.96.0.10', port: 8080 },
  authority: 'server.bench.svc.cluster.local:8080',
}

export const commandsOf = (cluster: TranscriptCluster) =>
  cluster.commands.map(({ command }) => command.replaceAll(pinnedCache, 'CACHE'))

/** Commands as they would stand in a terminal. */
export const scriptOf = (commands: readonly string[]) => commands.map((command) => `$ ${command}\n`).join('')

/** The values that helm was given for a release. */
export function valuesOf(cluster: TranscriptCluster, release: string): unknown {
  const helm = cluster.commands.find(({ command }) => command.includes(`--install ${release} `))
  return parse(helm?.input ?? '')
}

/** How often a name was asked for, this time included. */
export function countReads(): (name: string) => number {
  const reads = new Map<string, number>()
  return (name) => {
    const count = (reads.get(name) ?? 0) + 1
    reads.set(name, count)
    return count
  }
}

/** The error that a person reads; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<UserError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  if (error instanceof UserError) return error
  throw error
}

/** What a mesh downloads when all of its paths are measured. */
export function downloadsOnAllPaths(name: string): Downloads {
  const mesh = Object.values<Mesh>(meshes).find((known) => known.name === name)
  return mesh?.downloads?.(Object.values<Path>(paths).filter((path) => mesh.paths.includes(path.name))) ?? {}
}

/** A cache of the charts and manifests that have a digest, and of nothing else: helm and kubectl get no others from there. */
export const pinnedCache = testdata('cache')

/** The same with archives of all of a mesh's images, as `meshbench pull` leaves them. */
export async function fullCache(mesh: string): Promise<string> {
  const cacheDir = await mkdtemp(join(tmpdir(), 'meshbench-cache-'))
  await cp(pinnedCache, cacheDir, { recursive: true })
  await mkdir(join(cacheDir, 'images'))
  const items = listPulls([{ neededBy: mesh, ...downloadsOnAllPaths(mesh) }])
  for (const { kind, cachePath } of items)
    if (kind === 'image') await writeFile(join(cacheDir, cachePath), 'archive')
  return cacheDir
}
