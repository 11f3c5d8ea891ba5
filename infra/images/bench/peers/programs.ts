/** The programs that the bench measures against, and the applications behind all of them, each with one worker. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { truncateSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ListenerAddress } from '../../kit/net/address.js'
import type { Workspace } from '../../kit/testing.js'

export interface Peer {
  readonly pid: number
  readonly address: ListenerAddress
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** A port that was free a moment ago: these programs cannot be asked which one they chose. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function start(command: string, args: readonly string[], port: number): Promise<Peer> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await Promise.race([
    accepts(port),
    once(child, 'exit').then(() => {
      throw new Error(`${command} ended: ${output}`)
    }),
  ])
  return { pid: child.pid as number, address: { host: '127.0.0.1', port }, stop: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function accepts(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const socket = connect(port, '127.0.0.1')
    const ok = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => {
        resolve(true)
      })
      socket.once('error', () => {
        resolve(false)
      })
    })
    socket.destroy()
    if (ok) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}

const envoyBinary = (): string => process.env['ENVOY_BIN'] ?? 'envoy'

/** Undefined when the program can be run, else what is missing. */
export function missing(program: 'haproxy' | 'nginx' | 'envoy' | 'nghttpx'): string | undefined {
  const command = program === 'envoy' ? envoyBinary() : program
  if (spawnSync(command, [program === 'nginx' ? '-v' : '--version']).error === undefined) return undefined
  return program === 'envoy'
    ? 'envoy: not on the PATH, and ENVOY_BIN names none (see infra/meshes/envoy/fetch-envoy.sh)'
    : `${program}: not on the PATH`
}

/** nginx with one worker and the given contents of `http { … }`. */
export function startNginx(
  workspace: Workspace,
  name: string,
  port: number,
  contents: string,
): Promise<Peer> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${workspace.dir};`)
    .join(' ')
  const config = workspace.write(
    `${name}.conf`,
    `daemon off; master_process off; worker_processes 1; pid ${join(workspace.dir, `${name}.pid`)}; error_log /dev/null;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; sendfile on; tcp_nodelay on; ${temporary}
  ${contents}
}
`,
  )
  return start('nginx', ['-p', workspace.dir, '-e', '/dev/null', '-c', config], port)
}

/** haproxy with one thread and the given sections. */
export async function startHaproxy(
  workspace: Workspace,
  name: string,
  port: number,
  sections: string,
): Promise<Peer> {
  const config = workspace.write(
    `${name}.cfg`,
    `global
  nbthread 1
  maxconn 4000
defaults
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  maxconn 4000
${sections}
`,
  )
  return start('haproxy', ['-db', '-f', config], port)
}

/** Envoy with one worker and the given `static_resources`. */
export function startEnvoy(
  workspace: Workspace,
  name: string,
  port: number,
  resources: Record<string, unknown>,
): Promise<Peer> {
  const config = workspace.write(`${name}.json`, JSON.stringify({ static_resources: resources }))
  return start(
    envoyBinary(),
    ['-c', config, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'off'],
    port,
  )
}

/** nghttpx with one worker. */
export function startNghttpx(port: number, options: readonly string[]): Promise<Peer> {
  const settings = ['--conf=/dev/null', '--single-process', '--workers=1', '--no-ocsp', '--log-level=FATAL']
  return start('nghttpx', [...settings, '--errorlog-file=/dev/null', ...options], port)
}

/** Node as it is, with a program that listens on `port`. */
export function startNode(args: readonly string[], port: number): Promise<Peer> {
  return start(process.execPath, args, port)
}

/** The applications that subjects forward to. */
export interface Applications {
  /** HTTP/1.1: 1 KiB at every path, a sparse file of zeros at `/large`. */
  readonly http1: ListenerAddress
  /** HTTP/2 with prior knowledge: 200 without a body. */
  readonly h2: ListenerAddress
  /** gRPC: sends the request's messages back, then `grpc-status: 0`. Nothing listens there unless it was asked for. */
  readonly grpc: ListenerAddress
  stop(): Promise<void>
}

/** `needed`: nginx, which serves the others, always runs; `nghttpd` runs for `grpc` alone. */
export async function startApplications(
  workspace: Workspace,
  largeBytes: number,
  needed: readonly (keyof Applications)[],
): Promise<Applications> {
  const http1 = await freePort()
  const h2 = await freePort()
  truncateSync(workspace.write('large', ''), largeBytes)
  const nginx = await startNginx(
    workspace,
    'application',
    http1,
    `server {
    listen 127.0.0.1:${http1};
    location / { default_type text/plain; return 200 "${'x'.repeat(1024)}"; }
    location = /large { root ${workspace.dir}; }
  }
  server { listen 127.0.0.1:${h2} http2; location / { return 200 ""; } }`,
  )
  const grpc = await freePort()
  const options = ['--no-tls', '--address=127.0.0.1', '--echo-upload', '--trailer=grpc-status: 0', '-m1000']
  const echo = needed.includes('grpc') ? await start('nghttpd', [...options, String(grpc)], grpc) : undefined
  const address = (port: number): ListenerAddress => ({ host: '127.0.0.1', port })
  return {
    http1: address(http1),
    h2: address(h2),
    grpc: address(grpc),
    async stop() {
      await nginx.stop()
      await echo?.stop()
    },
  }
}
