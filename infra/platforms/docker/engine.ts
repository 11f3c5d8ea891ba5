/** Finds the container engine to use, Docker's or Podman's, and tells what it is. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type Docker from 'dockerode'
import { messageOf } from '../../../harness/model/errors.js'
import { contextVariables } from './context.js'

export interface Engine {
  readonly docker: Docker
  /** As `DOCKER_HOST` names it. */
  readonly address: string
  readonly product: 'docker' | 'podman'
  readonly version: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly cgroup: 'v1' | 'v2'
  readonly operatingSystem: string
}

/** An engine that does not answer, and why. */
export interface MissingEngine {
  readonly tried: readonly { readonly address: string; readonly problem: string }[]
}

/** Sockets in the order in which they are tried: what the user named, Docker's, Colima's, then Podman's. */
export function engineAddresses(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
  home: string,
): readonly string[] {
  if (env.DOCKER_HOST) return [env.DOCKER_HOST]
  const runtimeDir = env.XDG_RUNTIME_DIR || `/run/user/${uid}`
  return [
    '/var/run/docker.sock',
    join(runtimeDir, 'docker.sock'),
    join(home, '.docker/run/docker.sock'),
    join(home, '.docker/desktop/docker.sock'),
    join(home, '.colima/default/docker.sock'),
    join(runtimeDir, 'podman/podman.sock'),
    '/run/podman/podman.sock',
  ].map((path) => `unix://${path}`)
}

/**
 * The engine that the `docker` command uses: that of `DOCKER_HOST` or of the context in force, else the first that answers.
 *
 * Sets `DOCKER_HOST` when it is not Docker's default socket, since testcontainers, kind and the `docker` command find an
 * engine by it.
 */
export async function findEngine(): Promise<Engine | MissingEngine> {
  // Slow to load, and every verb of the command line knows the platforms by name.
  const { default: DockerClient } = await import('dockerode')
  const tried: { address: string; problem: string }[] = []
  try {
    Object.assign(process.env, await contextVariables(process.env, homedir()))
  } catch (error) {
    return { tried: [{ address: 'the context', problem: messageOf(error) }] }
  }
  for (const address of engineAddresses(process.env, process.getuid?.() ?? 0, homedir())) {
    const path = address.startsWith('unix://') ? address.slice('unix://'.length) : undefined
    if (path !== undefined && !existsSync(path)) {
      tried.push({ address, problem: 'no such socket' })
      continue
    }
    try {
      const docker = path === undefined ? new DockerClient() : new DockerClient({ socketPath: path })
      const engine = await describe(docker, address)
      if (address !== 'unix:///var/run/docker.sock') process.env.DOCKER_HOST ??= address
      return engine
    } catch (error) {
      tried.push({ address, problem: messageOf(error) })
    }
  }
  return { tried }
}

export function isMissing(engine: Engine | MissingEngine): engine is MissingEngine {
  return 'tried' in engine
}

async function describe(docker: Docker, address: string): Promise<Engine> {
  const [info, version] = await Promise.all([
    docker.info() as Promise<{
      NCPU: number
      MemTotal: number
      CgroupVersion?: string
      OperatingSystem: string
    }>,
    docker.version() as Promise<{ Version: string; Components?: { Name: string }[] }>,
  ])
  const isPodman = version.Components?.some(({ Name }) => Name.toLowerCase().includes('podman')) ?? false
  return {
    docker,
    address,
    product: isPodman ? 'podman' : 'docker',
    version: version.Version,
    cpus: info.NCPU,
    memoryBytes: info.MemTotal,
    cgroup: info.CgroupVersion === '2' ? 'v2' : 'v1',
    operatingSystem: info.OperatingSystem,
  }
}
