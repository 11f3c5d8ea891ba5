/**
 * Ends, pauses and brings back the containers behind a component, on their nodes. What is ended is started again by the
 * node's kubelet, in its own time: to start it is to wait until it is ready.
 */
import type { Change } from '../../../harness/model.js'
import type { ApiProxy } from './api/api-proxy.js'
import type { PodWatch } from './api/pods.js'
import { nudge } from './nudge.js'
import type { Components, ContainerRef } from './usage/components.js'
import { findCommand, parseFound } from './usage/node-cgroups.js'

/** Standard output of a command on a node, without delay; see `NodeShell`. */
export type OnNode = (node: string, argv: readonly string[]) => Promise<string>

export interface ChangesOptions {
  readonly components: Components
  readonly pods: Pick<PodWatch, 'waitFor' | 'find'>
  readonly proxy: Pick<ApiProxy, 'patch'>
  readonly onNode: OnNode
  readonly signal: AbortSignal
}

/** A kubelet looks once a second at what has ended, and starts it a second later; then it must get ready. */
const readyTimeoutMs = 60_000
/** Seconds that a program has for its drain when it is asked to end. */
const stopTimeoutS = 3

export class Changes {
  readonly #options: ChangesOptions
  /** Folder of each container's cgroup on its node; the group of its pod is above it. */
  readonly #folders = new Map<string, string>()
  /** Component → containers that were ended, and not awaited since. */
  readonly #ended = new Map<string, readonly ContainerRef[]>()

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  /** Whether it was ended on purpose and has not been awaited since. */
  isDown(component: string): boolean {
    return this.#ended.has(component)
  }

  /** Resolves when what was ended has ended and begins anew, what was started is ready. */
  async change(component: string, { do: what }: Change): Promise<void> {
    switch (what) {
      case 'kill':
      case 'stop':
        return this.#end(component, what)
      case 'pause':
        return this.#signal(component, 'STOP')
      case 'resume':
        return this.#signal(component, 'CONT')
      case 'start':
        return this.#awaitStarted(component)
      default:
        throw new Error(`a hop on a cluster cannot do this: ${what}; its paths lead to one of them`)
    }
  }

  async #signal(component: string, signal: 'STOP' | 'CONT'): Promise<void> {
    await this.#eachOf(this.#runningOf(component), `${members}; kill -${signal} $(members "$1")`)
  }

  async #end(component: string, how: 'kill' | 'stop'): Promise<void> {
    if (this.isDown(component)) return
    const refs = this.#runningOf(component)
    // Counters go with a container, and what follows it counts from 0.
    await this.#options.components.expectEnd(refs)
    this.#ended.set(component, refs)
    await this.#nudging(refs, () => this.#eachOf(refs, how === 'kill' ? killScript : stopScript))
  }

  async #awaitStarted(component: string): Promise<void> {
    const ended = this.#ended.get(component)
    if (!ended) return
    const { components, pods, signal } = this.#options
    await this.#nudging(ended, () =>
      pods.waitFor(component, () => components.haveFollowed(component, ended), {
        timeoutMs: readyTimeoutMs,
        signal,
        explain: () => 'what has followed what was ended is not ready',
      }),
    )
    components.accept(ended)
    this.#ended.delete(component)
  }

  /** A kubelet that has seen an end sooner than it may start the next container looks again 10 s to 15 s later. */
  async #nudging<T>(refs: readonly ContainerRef[], run: () => Promise<T>): Promise<T> {
    const { pods, proxy } = this.#options
    const names = new Set(refs.map(({ namespace, pod }) => `${namespace}/${pod}`))
    const waiting = () =>
      [...new Set(refs.map(({ namespace }) => namespace))].flatMap((namespace) =>
        pods.find(namespace, '').filter(({ metadata }) => names.has(`${namespace}/${metadata.name}`)),
      )
    const stop = nudge(proxy, waiting)
    return run().finally(stop)
  }

  #runningOf(component: string): readonly ContainerRef[] {
    const refs = this.#options.components.actedOn(component)
    if (refs.length === 0) throw new Error(`${component} has no container that runs`)
    return refs
  }

  async #eachOf(refs: readonly ContainerRef[], script: string): Promise<void> {
    await Promise.all(
      refs.map(async (ref) =>
        this.#options.onNode(ref.nodeName, ['sh', '-c', script, 'sh', await this.#folderOf(ref)]),
      ),
    )
  }

  async #folderOf({ id, nodeName }: ContainerRef): Promise<string> {
    const known = this.#folders.get(id)
    if (known !== undefined) return known
    const found = parseFound(await this.#options.onNode(nodeName, findCommand([id])), [id]).get(id)
    if (!found) throw new Error(`no cgroup of the container ${id.slice(0, 12)} on ${nodeName}`)
    this.#folders.set(id, found.cpuacct)
    return found.cpuacct
  }
}

const members = `members() { find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null; }`

/** Until a group that was not there holds a process: the kubelet has begun the next container. */
const awaitNext = `
tries=0
while [ $tries -lt 1500 ]; do
  for group in "\${1%/*}"/*/; do
    group=\${group%/}
    case "$before" in *" \${group##*/} "*) continue ;; esac
    [ -n "$(members "$group")" ] && exit 0
  done
  tries=$((tries + 1))
  sleep 0.02
done
echo 'its kubelet has not started it again' >&2
exit 1`

const listGroups = `before=" $(ls "\${1%/*}" | tr '\\n' ' ') "`

const killScript = `${members}
${listGroups}
kill -KILL $(members "$1")
${awaitNext}`

/** The first process of its namespace is asked, as a kubelet does; all are ended when the time for that is up. */
const stopScript = `${members}
${listGroups}
kill -CONT $(members "$1")
for process in $(members "$1"); do
  grep -q '^NSpid:.*[[:space:]]1$' "/proc/$process/status" && kill -TERM "$process"
done
waits=0
while [ -n "$(members "$1")" ] && [ $waits -lt ${stopTimeoutS * 50} ]; do
  waits=$((waits + 1))
  sleep 0.02
done
left=$(members "$1")
[ -n "$left" ] && kill -KILL $left
${awaitNext}`
