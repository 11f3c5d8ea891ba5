/** The only file that starts subprocesses, so that each is labelled with its run, bounded in output, and ended. */
import {
  spawn,
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  type StdioOptions,
} from 'node:child_process'
import { once } from 'node:events'
import type { Server } from 'node:net'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { CommandError } from '../model/errors.js'
import type { Command, Running, SocketPlace } from '../model.js'
import { defined } from '../model/defined.js'

/** Label of every process that a run starts: `meshbench clean` finds what is left by it. */
export const runIdVariable = 'MESHBENCH_RUN_ID'

const tailBytes = 8 * 1024

/** Variables that change how Node, Go programs, allocators and the loader behave, whoever they were meant for. */
const disturbing =
  /^(NODE_(?!ENV$|EXTRA_CA_CERTS$)|UV_|GO(GC|MAXPROCS|DEBUG|MEMLIMIT)$|LD_(PRELOAD|AUDIT)$|MALLOC_|GLIBC_TUNABLES$)/

/** Variables that stay although they change how a program behaves, since it may not run without them. */
const influencing = /^(NODE_EXTRA_CA_CERTS|LD_LIBRARY_PATH|OPENSSL_\w+|SSL_CERT_(FILE|DIR)|RUST_LOG)$/

/** Those of them that are set: a run with others is another measurement. */
export function influences(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(process.env)
      .filter((entry): entry is [string, string] => influencing.test(entry[0]))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/** What a run's own processes inherit: a preload or an inspector of the caller would be measured as if it were theirs. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !disturbing.test(name)))
}

/**
 * Children that have not ended. They have sessions of their own, so that nothing else would end them when this process
 * ends without taking them down: on a second Ctrl-C, and on a bug.
 */
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) endGroup(child, 'SIGKILL')
})

/** `until`: whether what an ended child leaves in its group is of nobody's concern; else it is kept in mind until it is gone. */
function keepTrack(child: ChildProcess, until: 'it ends' | 'its group ends' = 'it ends'): void {
  alive.add(child)
  child.once('error', () => alive.delete(child))
  child.once('close', () => {
    if (until === 'it ends' || !isGroupLeft(child)) alive.delete(child)
  })
}

export interface StartOptions {
  readonly runId?: string
  readonly cwd?: string
  readonly signal?: AbortSignal
  /** Listening sockets that it has from descriptor 3 on. */
  readonly sockets?: readonly Server[]
}

/**
 * Spawns a command in a session of its own, so that Ctrl-C in the terminal reaches Meshbench alone, which then takes things
 * down in order.
 */
function launch(
  argv: readonly string[],
  { cwd, runId }: Pick<StartOptions, 'cwd' | 'runId'>,
  env: NodeJS.ProcessEnv,
  stdio: StdioOptions = ['pipe', 'pipe', 'pipe'],
): ChildProcessWithoutNullStreams {
  const [program = '', ...args] = argv
  const label = runId === undefined ? {} : { [runIdVariable]: runId }
  const child = spawn(program, args, { cwd, detached: true, stdio, env: { ...env, ...label } })
  return child as ChildProcessWithoutNullStreams
}

/** Calls it when the signal is given, or was before, which a signal tells its listeners nothing of. Returns the way back. */
function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  signal?.addEventListener('abort', act, { once: true })
  if (signal?.aborted) act()
  return () => signal?.removeEventListener('abort', act)
}

/** Starts a command and leaves it running. One that cannot be started shows as `exited` with code 127. */
export function start(command: Command, options: StartOptions = {}): Running {
  const inherited = options.runId === undefined ? process.env : cleanEnvironment()
  const sockets = (options.sockets ?? []).map(descriptorOf)
  const child = launch(command.argv, options, { ...inherited, ...command.env }, [
    ...(['pipe', 'pipe', 'pipe'] as const),
    ...sockets,
  ])
  keepTrack(child, 'its group ends')
  const { stdin, stdout, stderr } = child
  const tail = new Tail()
  stderr.on('data', (chunk: Buffer) => tail.add(chunk))
  stdout.on('data', (chunk: Buffer) => tail.add(chunk))
  // A program that ends early closes its input; the exit code tells that, an EPIPE would only hide it.
  stdin.on('error', () => {})
  if (command.input !== undefined) stdin.write(command.input)

  const forget = onAbort(options.signal, () => endGroup(child, 'SIGKILL'))
  const exited = new Promise<Awaited<Running['exited']>>((resolve) => {
    child.once('error', (error) => resolve({ code: 127, signal: null, tail: error.message }))
    child.once('close', (code, signal) => resolve({ code, signal, tail: tail.text() }))
  }).finally(forget)

  return {
    ...defined({ pid: child.pid }),
    lines: createInterface({ input: stdout, crlfDelay: Infinity }),
    write: (text) => stdin.write(text),
    kill: (signal = 'SIGTERM') => endGroup(child, signal),
    exited,
  }
}

/** Node's types hide it. */
const descriptorOf = (server: Server) => (server as unknown as { _handle: { fd: number } })._handle.fd

/** Opens a socket, hands it to its parent, and ends when that has it. */
const opener = `
const [host, port] = process.argv.slice(1)
const server = require('node:net').createServer().listen({ host, port: Number(port) }, () => process.send('open', server))
process.once('disconnect', () => process.exit())
`

/**
 * Has a listening socket opened where `enter` leads, and takes it over. Whoever gets it closes it; what comes to it before
 * somebody listens is lost. Throws with the end of the opener's output when the address cannot be had.
 */
export async function openSocket(
  { host, enter }: SocketPlace,
  port: number,
  options: Pick<StartOptions, 'runId'>,
): Promise<Server> {
  const argv = enter([process.execPath, '-e', opener, host, String(port)])
  const child = launch(argv, options, cleanEnvironment(), ['ignore', 'ignore', 'pipe', 'ipc'])
  keepTrack(child)
  const tail = new Tail()
  child.stderr.on('data', (chunk: Buffer) => tail.add(chunk))
  const opened = once(child, 'message').then(([, server]) => server as Server)
  // A child whose channel has carried a handle never tells of its 'close'.
  const ended = once(child, 'exit').then(() => undefined)
  const server = await Promise.race([opened, ended])
  if (!server) throw new Error(`no socket at ${host}:${port}: ${tail.text().trim()}`)
  child.disconnect()
  await ended
  return server
}

export interface RunOptions extends StartOptions {
  /** The command is killed after this. Default: one minute. */
  readonly timeoutMs?: number
  /** Return the result whatever the exit code. */
  readonly allowFailure?: boolean
}

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a command to its end and returns its output whole.
 *
 * Throws `CommandError`, with the end of its standard error, when it fails or takes longer than `timeoutMs`.
 */
export async function run(
  argv: readonly string[],
  options: RunOptions & { input?: string | Uint8Array } = {},
): Promise<RunResult> {
  const { timeoutMs = 60_000 } = options
  return new Promise((resolve, reject) => {
    const child = launch(argv, options, process.env)
    keepTrack(child)
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    let note = ''
    const end = (why: string) => {
      note = why
      endGroup(child, 'SIGKILL')
    }
    const timer = setTimeout(() => end(`no end after ${timeoutMs} ms`), timeoutMs)
    const forget = onAbort(options.signal, () => end('interrupted'))
    const settle = () => {
      clearTimeout(timer)
      forget()
    }
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.stdin.on('error', () => {})
    child.stdin.end(options.input)
    child.once('error', (error) => {
      settle()
      reject(new CommandError(argv, { code: 127, signal: null, tail: error.message }, error.message))
    })
    child.once('close', (code, signal) => {
      settle()
      const result = {
        code,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }
      if (code === 0 || (options.allowFailure && note === '')) return resolve(result)
      const tail = (result.stderr || result.stdout).slice(-tailBytes)
      reject(new CommandError(argv, { code, signal, tail }, note))
    })
  })
}

/** Absolute path of a program on the PATH, or undefined. */
export async function findProgram(name: string): Promise<string | undefined> {
  if (name.includes('/')) return (await isExecutable(name)) ? name : undefined
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, name)
    if (await isExecutable(path)) return path
  }
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Ends a child and whatever it started, also where the child itself is gone and what it started lives on. */
function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  if (isEnded(child)) {
    if (isGroupLeft(child)) sendTo(-child.pid, signal)
  } else if (!sendTo(-child.pid, signal)) child.kill(signal)
}

const isEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null

/**
 * Whether an ended child has left processes in its group. No process is given a number that a group still has (`fork` in
 * POSIX.1-2017), so that one which has the child's number now is a stranger's, and so is the group of that number.
 */
function isGroupLeft({ pid }: ChildProcess): boolean {
  return pid !== undefined && !sendTo(pid, 0) && sendTo(-pid, 0)
}

/** Whether there was somebody to send it to; 0 only asks. */
function sendTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Keeps the last bytes of a stream. */
export class Tail {
  #chunks: Buffer[] = []
  #bytes = 0

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    while (this.#chunks.length > 1 && this.#bytes - (this.#chunks[0]?.length ?? 0) >= tailBytes) {
      this.#bytes -= this.#chunks.shift()?.length ?? 0
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-tailBytes).toString()
  }
}
