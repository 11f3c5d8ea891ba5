/** What the tests and benches of the images need: identities on disk, images as processes, small TCP peers. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ImageName, imageBundle } from '../bundles.js'
import { type Authority, createAuthority } from '../../platforms/kit/identity.js'
import type { ListenerAddress } from './net/address.js'

export const trustDomain = 'bench.local'
export const spiffe = (name: string, domain = trustDomain): string => `spiffe://${domain}/ns/bench/sa/${name}`

/** A folder that holds one test's files. */
export interface Workspace {
  readonly dir: string
  write(name: string, content: string): string
  remove(): void
}

export function createWorkspace(): Workspace {
  let made: string | undefined
  // Made by its first use, so that one which only skipped tests would have used leaves nothing.
  const dir = () => (made ??= mkdtempSync(join(tmpdir(), 'meshbench-')))
  return {
    get dir() {
      return dir()
    },
    write(name, content) {
      const path = join(dir(), name)
      writeFileSync(path, content)
      return path
    },
    remove() {
      if (made !== undefined) rmSync(made, { recursive: true, force: true })
    },
  }
}

export interface WorkloadFiles {
  readonly spiffeId: string
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
}

/** Issues a certificate for `spiffe(name)` and writes it to `<file>.crt`, `.key` and `.ca`. */
export async function writeWorkload(
  workspace: Workspace,
  authority: Authority,
  name: string,
  options: {
    readonly file?: string
    readonly id?: string
    readonly notAfter?: Date
    readonly notBefore?: Date
  } = {},
): Promise<WorkloadFiles> {
  const { file = name, id = spiffe(name, authority.trustDomain), notAfter, notBefore } = options
  const identity = await authority.issue(id, {
    ...(notAfter ? { notAfter } : {}),
    ...(notBefore ? { notBefore } : {}),
  })
  workspace.write(`${file}.crt`, identity.certPem)
  workspace.write(`${file}.key`, identity.keyPem)
  workspace.write(`${file}.ca`, authority.caPem)
  return { spiffeId: id, certFile: `${file}.crt`, keyFile: `${file}.key`, caFile: `${file}.ca` }
}

export const createTestAuthority = (domain = trustDomain): Promise<Authority> =>
  createAuthority({ trustDomain: domain })

export interface RunningImage {
  readonly process: ChildProcess
  readonly pid: number
  readonly listeners: Readonly<Record<string, ListenerAddress>>
  /** Standard error so far. */
  readonly log: () => string
  /** Fetches a path of the admin listener as text. */
  admin(path: string): Promise<string>
  /** Value of a metric, summed over the children whose text contains every one of `labels`. */
  metric(name: string, ...labels: string[]): Promise<number>
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

const imagesRoot = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Bundles an image, starts it with a config and waits for its ready line. Rejects with its standard error. */
export async function startImage(
  image: ImageName,
  workspace: Workspace,
  config: unknown,
  options: { readonly nodeArguments?: readonly string[]; readonly configName?: string } = {},
): Promise<RunningImage> {
  const bundle = await imageBundle(image, imagesRoot, join(tmpdir(), 'meshbench-bundles'))
  const file = workspace.write(
    options.configName ?? `${image}-${Math.random().toString(36).slice(2)}.json`,
    JSON.stringify(config),
  )
  const child = spawn(process.execPath, [...(options.nodeArguments ?? []), bundle.path, '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const listeners = await new Promise<Record<string, ListenerAddress>>((resolve, reject) => {
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const line = output.split('\n', 1)[0] ?? ''
      if (output.includes('\n'))
        resolve((JSON.parse(line) as { listeners: Record<string, ListenerAddress> }).listeners)
    })
    child.on('exit', (code) => {
      reject(new Error(`${image} ended with ${code} before it was ready: ${log}`))
    })
  })
  const admin = async (path: string): Promise<string> => {
    const { host, port } = listeners['admin'] as ListenerAddress
    return (await fetch(`http://${host}:${port}${path}`)).text()
  }
  return {
    process: child,
    pid: child.pid as number,
    listeners,
    log: () => log,
    admin,
    async metric(name, ...labels) {
      const lines = (await admin('/metrics')).split('\n')
      return lines
        .filter(
          (line) =>
            (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) &&
            labels.every((l) => line.includes(l)),
        )
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal)
        await once(child, 'exit')
      }
      return child.exitCode
    },
  }
}

/** A plain TCP server on a port of the system's choice. */
export async function listenTcp(
  onSocket: (socket: Socket) => void,
  { allowHalfOpen = true } = {},
): Promise<{ readonly host: string; readonly port: number; readonly server: Server; close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen, noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    host: '127.0.0.1',
    port,
    server,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
