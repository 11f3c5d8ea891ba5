/** Keeps what explains a failure before the cluster that it happened on goes away. */
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf, type Kubectl } from './api/kubectl.js'
import { runLabel } from './render/names.js'

/** An interrupted run's diagnostics are wanted, too. */
const access = { timeoutMs: 10_000, pastAbort: true }
/** For all of it: undoing has a minute for each step. */
const totalMs = 35_000

export interface DiagnosticsOptions {
  readonly kubectl: Kubectl
  readonly runId: string
  readonly folder: string
  /** Where the manifests are that were applied. */
  readonly manifestDir: string
}

/** Collected when a run ends, if something was wrong in it. */
export class Diagnostics {
  readonly #options: DiagnosticsOptions
  #wanted = false

  constructor(options: DiagnosticsOptions) {
    this.#options = options
  }

  /** Something went wrong: what explains it is to be kept. */
  want(): void {
    this.#wanted = true
  }

  /** Keeps what there is now, in a folder of this name: something is about to be removed. */
  async keep(name: string): Promise<void> {
    await collect({ ...this.#options, folder: join(this.#options.folder, name) })
  }

  async collectIfWanted(): Promise<void> {
    if (this.#wanted) await collect(this.#options)
  }
}

/** Writes objects, events, the end of every log and what was applied. What cannot be read says why in its file. */
async function collect({ kubectl, runId, folder, manifestDir }: DiagnosticsOptions): Promise<void> {
  const deadline = Date.now() + totalMs
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await cp(manifestDir, join(folder, 'manifests'), { recursive: true })
  const mine = `${runLabel}=${runId}`
  const queries: Readonly<Record<string, readonly string[]>> = {
    'nodes.txt': ['describe', 'nodes'],
    'pods.txt': ['get', 'pods', '-A', '-o', 'wide'],
    'events.txt': ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
    'objects.yaml': ['get', 'deployments,daemonsets,services,configmaps', '-A', '-l', mine, '-o', 'yaml'],
    'described-pods.txt': ['describe', 'pods', '-A', '-l', mine],
  }
  const write = async (name: string, args: readonly string[]) => {
    // Evidence must not keep what it is about from being removed.
    if (Date.now() > deadline) return
    const text = await kubectl.run(args, access).catch((error: unknown) => `not read: ${reasonOf(error)}\n`)
    await writeFile(join(folder, name), text, { mode: 0o600 })
  }
  for (const [name, args] of Object.entries(queries)) await write(name, args)
  const list = async (objects: string, path: string) =>
    (await kubectl.run(['get', ...objects.split(' '), '-o', `jsonpath=${path}`], access).catch(() => ''))
      .split('\n')
      .filter(Boolean)
  const mineOnly = new Set(
    await list(`namespaces -l ${mine}`, '{range .items[*]}{.metadata.name}{"\\n"}{end}'),
  )
  // Gateways and waypoints are made by their mesh and carry no label of ours; their namespace does.
  const pods = (
    await list('pods -A', '{range .items[*]}{.metadata.namespace}/{.metadata.name}{"\\n"}{end}')
  ).filter((pod) => mineOnly.has(pod.split('/')[0] ?? ''))
  for (const pod of pods) {
    const [namespace = '', name = ''] = pod.split('/')
    const args = ['logs', '-n', namespace, name, '--all-containers', '--tail=200', '--prefix']
    await write(`${namespace}-${name}.log`, args)
  }
}
