/** The peers that the bench measures against, as Debian packages them: haproxy as hops, nginx as the application. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { truncateSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ListenerAddress } from '../kit/process/image.js'
import type { Workspace } from '../kit/testing.js'

export interface Peer {
  readonly pid: number
  readonly address: ListenerAddress
  stop(): Promise<void>
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

/** nginx with one worker and the given contents of its `http` block. */
export async function startNginx(
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

/** The application: nginx with 1 KiB at `/` and `/echo`, and a sparse file of `largeBytes` zeros at `/large`. */
export async function startApplication(workspace: Workspace, largeBytes: number): Promise<Peer> {
  const port = await freePort()
  truncateSync(workspace.write('large', ''), largeBytes)
  return startNginx(
    workspace,
    'application',
    port,
    `server {
    listen 127.0.0.1:${port};
    location / { default_type text/plain; return 200 "${'x'.repeat(1024)}"; }
    location = /large { root ${workspace.dir}; }
  }`,
  )
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
