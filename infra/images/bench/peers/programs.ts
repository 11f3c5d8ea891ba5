/** The programs that the bench measures against, and the applications behind all of them, each with one worker. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { truncateSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ListenerAddress } from '../../kit/net/address.js'
import type { Workspace } from '../../kit/testing.js'

export interface Peer {
  readonly pid: number
  readonly address: ListenerAddress
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Certificates of one end of a leg of mutual TLS, on disk in the forms that peers read. */
export interface PeerFiles {
  readonly cert: string
  readonly key: string
  /** Certificate and key in one, as haproxy reads them. */
  readonly both: string
  readonly ca: string
}

/** Where a peer's hop stands: it listens at `at`, and dials `to`. */
export interface Place {
  readonly at: ListenerAddress
  readonly to: ListenerAddress
  /** Of the encrypted leg, which is on the side of the client of `inbound` and on that of the server of `outbound`. */
  readonly inbound?: PeerFiles
  readonly outbound?: PeerFiles
}

/** Whose port was free a moment ago: these programs cannot be asked which one they chose. */
export async function freeAddress(): Promise<ListenerAddress> {
  const host = '127.0.0.1'
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return { host, port }
}

async function start(command: string, args: readonly string[], address: ListenerAddress): Promise<Peer> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await Promise.race([
    accepts(address),
    once(child, 'exit').then(() => {
      throw new Error(`${command} ended: ${output}`)
    }),
  ])
  return { pid: child.pid as number, address, stop: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function accepts(address: ListenerAddress): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const socket = connect(address)
    const ok = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (ok) return
    await sleep(50)
  }
  throw new Error(`nothing listens on port ${address.port}`)
}

const envoyBinary = (): string => process.env['ENVOY_BIN'] ?? 'envoy'

export type Program = 'haproxy' | 'nginx' | 'envoy' | 'nghttpx' | 'node'

/** Undefined when the program can be run, else what is missing. */
export function missing(program: Program): string | undefined {
  const command = program === 'envoy' ? envoyBinary() : program === 'node' ? process.execPath : program
  if (spawnSync(command, [program === 'nginx' ? '-v' : '--version']).error === undefined) return undefined
  return program === 'envoy'
    ? 'envoy: not on the PATH, and ENVOY_BIN names none (see infra/meshes/envoy/fetch-envoy.sh)'
    : `${program}: not on the PATH`
}

/** nginx with one worker and the given contents of `http { … }`. */
export function startNginx(workspace: Workspace, at: ListenerAddress, contents: string): Promise<Peer> {
  const { dir } = workspace
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${dir};`)
    .join(' ')
  const config = workspace.write(
    `nginx-${at.port}.conf`,
    `daemon off; master_process off; worker_processes 1; pid ${dir}/nginx-${at.port}.pid; error_log /dev/null;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; sendfile on; tcp_nodelay on; ${temporary}
  ${contents}
}
`,
  )
  return start('nginx', ['-p', dir, '-e', '/dev/null', '-c', config], at)
}

/** haproxy with one thread; `plain` is said of both of its sides where there is no TLS. */
export function startHaproxy(
  workspace: Workspace,
  { at, to, inbound, outbound }: Place,
  mode: 'tcp' | 'http',
  plain = '',
): Promise<Peer> {
  const suite = 'verify required ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256'
  const tls = (files: PeerFiles | undefined) =>
    files ? `ssl crt ${files.both} ca-file ${files.ca} ${suite}` : plain
  const config = workspace.write(
    `haproxy-${at.port}.cfg`,
    `global
  nbthread 1
  maxconn 4000
defaults
  mode ${mode}
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  maxconn 4000
  ${mode === 'http' ? 'http-reuse always' : ''}
frontend in
  bind 127.0.0.1:${at.port} ${tls(inbound)}
  default_backend app
backend app
  server app 127.0.0.1:${to.port} ${tls(outbound)}
`,
  )
  return start('haproxy', ['-db', '-f', config], at)
}

/** Envoy with one worker and this bootstrap, as YAML. */
export function startEnvoy(workspace: Workspace, at: ListenerAddress, bootstrap: string): Promise<Peer> {
  const config = workspace.write(`envoy-${at.port}.yaml`, bootstrap)
  const options = ['--concurrency', '1', '--disable-hot-restart', '--log-level', 'off']
  return start(envoyBinary(), ['-c', config, ...options], at)
}

/** nghttpx with one worker. */
export function startNghttpx(at: ListenerAddress, options: readonly string[]): Promise<Peer> {
  const settings = ['--conf=/dev/null', '--single-process', '--workers=1', '--no-ocsp', '--log-level=FATAL']
  return start('nghttpx', [...settings, '--errorlog-file=/dev/null', ...options], at)
}

/** Node as it is, with a program that listens at an address. */
export function startNode(args: readonly string[], at: ListenerAddress): Promise<Peer> {
  return start(process.execPath, args, at)
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
  const [http1, h2, grpc] = [await freeAddress(), await freeAddress(), await freeAddress()]
  truncateSync(workspace.write('large', ''), largeBytes)
  const nginx = await startNginx(
    workspace,
    http1,
    `server {
    listen 127.0.0.1:${http1.port};
    location / { default_type text/plain; return 200 "${'x'.repeat(1024)}"; }
    location = /large { root ${workspace.dir}; }
  }
  server { listen 127.0.0.1:${h2.port} http2; location / { return 200 ""; } }`,
  )
  const options = ['--no-tls', '--address=127.0.0.1', '--echo-upload', '--trailer=grpc-status: 0', '-m1000']
  const echo = needed.includes('grpc')
    ? await start('nghttpd', [...options, String(grpc.port)], grpc)
    : undefined
  return {
    ...{ http1, h2, grpc },
    async stop() {
      await nginx.stop()
      await echo?.stop()
    },
  }
}
