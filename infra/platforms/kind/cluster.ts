/**
 * Creates a cluster, loads this repository's images into it, and watches its nodes.
 *
 * A command ends when its run is interrupted while it runs, and starts when that was before: what takes down needs
 * commands, too. What takes long therefore looks at the signal first.
 */
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import { CommandError, UserError, exitCodes, messageOf } from '../../../harness/model/errors.js'
import { run } from '../../../harness/process/exec.js'
import type { Scope, TrialError } from '../../../harness/model.js'
import { containerPlatform, saveArchive } from '../../supply/save-images.js'
import { deleteCluster } from './clean.js'

const loadTimeoutMs = 300_000
/** A container is made within it once it was asked for, on a busy host as well. */
const lateNodeMs = 2_000

export interface CreateClusterOptions {
  readonly kind: string
  readonly docker: Docker
  readonly name: string
  readonly config: string
  readonly timeoutMs: number
  /** Leave it standing when the scope is closed. */
  readonly keep: boolean
  readonly scope: Scope
}

/** Path of the cluster's kubeconfig, which only its owner can read. Throws `UserError` with what kind said. */
export async function createCluster(options: CreateClusterOptions): Promise<string> {
  const { kind, docker, name, config, scope, timeoutMs } = options
  scope.signal.throwIfAborted()
  const kubeconfig = join(scope.stateDir, `${name}.kubeconfig`)
  const configPath = join(scope.stateDir, `${name}.yaml`)
  await writeFile(configPath, config)
  // Before it is created: what is left of a failed attempt must go, too.
  let isCreated = false
  scope.defer(`delete cluster ${name}`, async () => {
    if (isCreated && options.keep) return
    await deleteCluster(docker, name)
    if (isCreated) return
    // The engine may still be making a node that kind had asked it for when it was ended.
    await sleep(lateNodeMs)
    await deleteCluster(docker, name)
  })
  const argv = [kind, 'create', 'cluster', '--name', name, '--config', configPath, '--kubeconfig', kubeconfig]
  try {
    // It waits for nothing: images are loaded meanwhile, and where a mesh brings the CNI no node is ready before.
    await run([...argv, '--wait', '0s'], { runId: scope.runId, signal: scope.signal, timeoutMs })
  } catch (error) {
    scope.signal.throwIfAborted()
    throw new UserError(`kind could not create the cluster ${name}: ${explain(error)}`, {
      hint: 'the end of its output says why; `meshbench doctor --platform kind` checks what can be checked ahead',
      exitCode: exitCodes.runFailed,
      cause: error,
    })
  }
  await chmod(kubeconfig, 0o600)
  isCreated = true
  return kubeconfig
}

function explain(error: unknown): string {
  if (!(error instanceof CommandError)) return messageOf(error)
  const said = error.tail.split('\n').filter((line) => /error|fail|cannot|not found/i.test(line))
  return said.slice(0, 3).join(' ') || error.tail.slice(-400)
}

export interface LoadImagesOptions {
  readonly kind: string
  readonly docker: string
  readonly name: string
  readonly references: readonly string[]
  readonly nodes: readonly string[]
  readonly scope: Scope
  /** An archive of them that is being written already. */
  readonly archive?: Promise<string>
}

/**
 * Loads images as one archive: `kind load docker-image` fails where the engine keeps its images in containerd
 * (https://github.com/kubernetes-sigs/kind/issues/3795).
 */
export async function loadImages(options: LoadImagesOptions): Promise<void> {
  const { kind, name, nodes, scope } = options
  const archive = await (options.archive ?? saveImages(options))
  try {
    await loadArchive({ kind, name, archive, nodes, scope })
  } finally {
    await rm(archive, { force: true })
  }
}

let archives = 0

/** Path of an archive of images, below the scope's folder. */
export async function saveImages(
  options: Pick<LoadImagesOptions, 'docker' | 'references' | 'scope'>,
): Promise<string> {
  const { docker, references, scope } = options
  scope.signal.throwIfAborted()
  // Arms that come up together may load images of their own.
  const archive = join(scope.stateDir, `images-${archives++}.tar`)
  await saveArchive({ engine: docker, file: archive, references, platform: containerPlatform }, (argv) =>
    run(argv, { runId: scope.runId, signal: scope.signal, timeoutMs: loadTimeoutMs }),
  )
  return archive
}

export async function loadArchive(
  options: Pick<LoadImagesOptions, 'kind' | 'name' | 'nodes' | 'scope'> & { readonly archive: string },
): Promise<void> {
  const { kind, name, archive, nodes, scope } = options
  scope.signal.throwIfAborted()
  const where = ['--name', name, '--nodes', [...new Set(nodes)].join(',')]
  await run([kind, 'load', 'image-archive', archive, ...where], {
    runId: scope.runId,
    signal: scope.signal,
    timeoutMs: loadTimeoutMs,
  })
}

/** Tells when a node's container ends: Kubernetes itself takes 40 s to notice. */
export function watchNodes(
  docker: Docker,
  nodes: readonly string[],
  scope: Scope,
): (node: string) => TrialError | undefined {
  const failures = new Map<string, TrialError>()
  // A kept cluster's nodes outlive the run: the requests that wait for their end must not keep the process alive.
  const watching = new AbortController()
  scope.defer('stop watching nodes', () => watching.abort())
  for (const node of new Set(nodes)) {
    void docker
      .getContainer(node)
      .wait({ abortSignal: watching.signal })
      .then(
        ({ StatusCode: code }: { StatusCode: number }) => {
          if (!watching.signal.aborted)
            failures.set(node, { kind: 'node-died', message: `the node ${node} ended with code ${code}` })
        },
        (error: unknown) => {
          if (!watching.signal.aborted)
            failures.set(node, { kind: 'node-died', message: `the node ${node}: ${messageOf(error)}` })
        },
      )
  }
  return (node) => failures.get(node)
}
