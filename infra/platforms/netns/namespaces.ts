/**
 * Network namespaces that last as long as a process of the run lives in them. They have no name on this machine, and with
 * a namespace its interfaces, routes and rules go, so that nothing is left once the run's processes are ended.
 */
import { messageOf } from '../../../harness/model/errors.js'
import type { Scope } from '../../../harness/model.js'
import { run, start } from '../../../harness/process/exec.js'
import { defined } from '../../../harness/model/defined.js'

/** How this process may make namespaces: as it is, or as root of a user namespace of its own. */
export type Privilege = 'own' | 'user-namespace'

export interface Namespace {
  /** A process that stays in it; interfaces are moved by it. */
  readonly pid: number
  /** The command that runs `argv` in it, as the same process. */
  readonly enter: (argv: readonly string[]) => readonly string[]
  ip(lines: readonly string[]): Promise<void>
  /** Runs lines of nft(8) in one transaction. */
  nft(lines: readonly string[]): Promise<string>
  run(argv: readonly string[]): Promise<string>
}

export interface Namespaces {
  create(name: string): Promise<Namespace>
}

const asRoot: Readonly<Record<Privilege, readonly string[]>> = {
  own: [],
  'user-namespace': ['--user', '--map-root-user'],
}

/** Whether namespaces can be made in a way; what the kernel says when not. */
export async function tryPrivilege(privilege: Privilege): Promise<string | undefined> {
  const argv = ['unshare', ...asRoot[privilege], '--net', 'ip', 'link', 'set', 'lo', 'up']
  return run(argv).then(
    () => undefined,
    (error: unknown) => (error as { tail?: string }).tail?.trim() ?? messageOf(error),
  )
}

export async function findPrivilege(): Promise<Privilege | undefined> {
  if ((await tryPrivilege('own')) === undefined) return 'own'
  return (await tryPrivilege('user-namespace')) === undefined ? 'user-namespace' : undefined
}

export function createNamespaces(privilege: Privilege, scope: Scope): Namespaces {
  /** The first one's process has the user namespace that all others are made in. */
  let first: Promise<Namespace> | undefined
  const make = async (name: string, prefix: readonly string[]): Promise<Namespace> => {
    // It ends with its input, so that nothing of it outlives Meshbench itself.
    const stay = ['sh', '-c', 'echo ready; exec cat > /dev/null']
    const holder = start({ argv: [...prefix, ...stay] }, { runId: scope.runId })
    scope.defer(`end namespace ${name}`, async () => {
      holder.kill('SIGKILL')
      await holder.exited
    })
    const line = await holder.lines[Symbol.asyncIterator]().next()
    if (line.value !== 'ready')
      throw new Error(`no network namespace for ${name}: ${(await holder.exited).tail.trim()}`)
    return namespaceOf(holder.pid ?? 0, privilege, scope)
  }
  return {
    async create(name) {
      if (privilege === 'own') return make(name, ['unshare', '--net'])
      if (!first) return (first = make(name, ['unshare', ...asRoot[privilege], '--net']))
      return make(name, (await first).enter(['unshare', '--net']))
    },
  }
}

function namespaceOf(pid: number, privilege: Privilege, scope: Scope): Namespace {
  const user = privilege === 'own' ? [] : ['--user', '--preserve-credentials']
  const enter = (argv: readonly string[]) => ['nsenter', '--target', String(pid), ...user, '--net', ...argv]
  const { runId, signal } = scope
  const runIn = async (argv: readonly string[], input?: string) => {
    const settings = { runId, signal, ...defined({ input }) }
    return (await run(enter(argv), settings)).stdout
  }
  return {
    pid,
    enter,
    ip: async (lines) => void (await runIn(['ip', '-batch', '-'], `${lines.join('\n')}\n`)),
    nft: (lines) => runIn(['nft', '-f', '-'], `${lines.join('\n')}\n`),
    run: runIn,
  }
}
