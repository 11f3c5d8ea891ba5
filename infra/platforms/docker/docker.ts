/**
 * Components as containers on one engine, Docker's or Podman's: limits and cgroups are real, and each node is a network
 * of its own, so that legs between nodes pass virtual Ethernet and a bridge.
 */
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { defined } from '../../../harness/model/defined.js'
import type {
  Fact,
  NodeRole,
  Platform,
  Progress,
  Scope,
  Unmet,
  EnvironmentRequest,
  Host,
} from '../../../harness/model.js'
import { UserError, exitCodes } from '../../../harness/model/errors.js'
import { version } from '../../../harness/process/package-root.js'
import { programsOf } from '../../meshes/declared.js'
import {
  buildImages,
  provideOwnImage,
  provideProgramImage,
  type ContainerImages,
} from '../../supply/container-images/build.js'
import { engineLeftovers, removeRun } from './clean.js'
import { findEngine, isMissing, type Engine } from './engine.js'
import { nodeLabel, objectName, runLabels } from './labels.js'
import {
  clampLimits,
  configuredImages,
  generatorNeeds,
  platformSettings,
  unmetBaseImage,
} from '../kit/settings.js'
import { dockerSettings, type DockerSettings } from './settings.js'
import { mostCpus, unmetMemory } from '../kit/units.js'

const nodes = ['client', 'server', 'waypoint'] as const satisfies readonly NodeRole[]

export const docker: Platform = {
  name: 'docker',
  summary: 'containers on one engine, a network for each node; needs Docker or Podman',
  offers: ['own-hops'],
  environments: 'shared',
  builds: 'image',
  hasUnits: true,
  changesHops: { restartMs: 0 },
  raisesServices: true,
  times: { environmentMs: 6_000, armMs: 300, hopMs: 600, trialMs: 790 },
  settings: dockerSettings,
  downloads: (settings) => [
    { neededBy: 'the config', images: configuredImages(dockerSettings.parse(settings ?? {})) },
  ],
  leftovers: engineLeftovers,
  check: checkDocker,
  create,
}

async function checkDocker(request: EnvironmentRequest): Promise<readonly Unmet[]> {
  const settings = platformSettings(dockerSettings, request)
  const [engine, base] = await Promise.all([findEngine(), unmetBaseImage('docker', settings)])
  if (isMissing(engine)) {
    return [
      {
        need: 'a container engine (Docker, or Podman with its Docker-compatible socket)',
        found: engine.tried.map(({ address, problem }) => `${address}: ${problem}`).join('; '),
        remedy:
          'start Docker, or `systemctl --user start podman.socket`, or name the engine in DOCKER_HOST; --platform local needs none',
      },
      ...base,
    ]
  }
  return [
    ...base,
    ...unmetMemory(request, engine.memoryBytes),
    ...unmetCpus(request, engine),
    ...unmetReach(programsOf(request), engine),
  ]
}

/** An engine refuses a container more cores than it has. */
function unmetCpus(request: EnvironmentRequest, { cpus }: Pick<Engine, 'cpus'>): readonly Unmet[] {
  const asked = mostCpus(request)
  if (asked === undefined || asked <= cpus) return []
  return [
    {
      need: `${asked} cores for each L7 hop of a unit (experiments.scale-out.cpusPerHop)`,
      found: `${cpus} in the engine`,
      remedy: 'ask for no more than there are',
    },
  ]
}

/** Where addresses of containers cannot be reached, those of our own programs are asked from within, by their node. */
export function unmetReach(
  programs: readonly string[],
  engine: Pick<Engine, 'address' | 'operatingSystem'>,
): readonly Unmet[] {
  if (programs.length === 0 || isLocal(engine)) return []
  return [
    {
      need: `an engine whose containers can be reached by address, for ${programs.join(', ')}`,
      found: `${engine.address}, and their containers hold nothing that could reach their admin pages from within`,
      remedy: 'use a Docker engine on this Linux machine that runs as root, or leave their meshes out',
    },
  ]
}

async function create(request: EnvironmentRequest, scope: Scope, progress: Progress): Promise<Host> {
  const engine = await findEngine()
  if (isMissing(engine)) {
    throw new UserError('no container engine answers', {
      hint: 'meshbench doctor --platform docker says what is missing',
      exitCode: exitCodes.hostLacks,
    })
  }
  const { DockerHost } = await import('./host.js')
  const configured = platformSettings(dockerSettings, request)
  const settings: DockerSettings = { ...configured, ...clampLimits(configured, engine.cpus) }
  const source = { docker: engine.docker, signal: scope.signal }
  const images = await progress.step('container images', async () =>
    buildImages(source, {
      version,
      ...defined({ baseImage: settings.baseImage }),
      ...generatorNeeds(request, settings),
    }),
  )
  scope.signal.throwIfAborted()
  // Before anything that carries the label exists.
  scope.defer('remove containers and networks', () => removeRun(engine.docker, scope.runId))
  const networks = await progress.step('networks', () => createNetworks(engine, scope.runId))
  return new DockerHost({
    docker: engine.docker,
    request,
    scope,
    images,
    ownImage: (program) => provideOwnImage(source, program, images),
    programImage: (program) => provideProgramImage(source, program, settings.programImages),
    settings,
    networks,
    facts: factsOf(engine, images, settings),
    reach: isLocal(engine) ? 'address' : 'exec',
  })
}

async function createNetworks(engine: Engine, runId: string): Promise<Record<NodeRole, string>> {
  const networks: Partial<Record<NodeRole, string>> = {}
  for (const node of nodes) {
    const name = objectName(runId, node)
    await engine.docker.createNetwork({
      Name: name,
      Driver: 'bridge',
      CheckDuplicate: true,
      Labels: { ...runLabels(runId), [nodeLabel]: node },
    })
    networks[node] = name
  }
  return networks as Record<NodeRole, string>
}

/** Container addresses can be reached from a Linux host that runs the engine as root, and from no other. */
function isLocal({ address, operatingSystem }: Pick<Engine, 'address' | 'operatingSystem'>): boolean {
  const sockets = ['/var/run/docker.sock', '/run/podman/podman.sock'].map(resolved)
  return (
    process.platform === 'linux' &&
    sockets.includes(resolved(address.replace(/^unix:\/\//, ''))) &&
    !operatingSystem.includes('Docker Desktop')
  )
}

/** /run and /var/run are mostly one. */
function resolved(path: string): string {
  const folder = dirname(path)
  return join(existsSync(folder) ? realpathSync(folder) : folder, basename(path))
}

function factsOf(engine: Engine, images: ContainerImages, settings: DockerSettings): readonly Fact[] {
  const { hop } = settings
  return [
    { name: 'platform', value: 'docker: containers of one engine, one bridge network for each node' },
    { name: 'engine', value: `${engine.product} ${engine.version} on ${engine.operatingSystem}` },
    { name: 'cgroup version of the engine', value: engine.cgroup.slice(1) },
    { name: 'base image', value: images.base },
    { name: 'limits of each hop', value: `${hop.cpus} CPUs, ${hop.memoryMib} MiB` },
    { name: 'memory figures', value: 'working set of the cgroup: usage less inactive file pages' },
  ]
}
