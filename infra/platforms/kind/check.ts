/** What a cluster of kind needs of this host, all of it at once. */
import { findProgram } from '../../../harness/process/exec.js'
import type { EnvironmentRequest, Unmet } from '../../../harness/model.js'
import { chartMeshes, clusterTools } from '../../meshes/declared.js'
import { pullCommandFor } from '../../supply/pull.js'
import { checkTools } from '../../supply/tools.js'
import { findEngine, isMissing } from '../docker/engine.js'
import { checkGeneratorPods, platformSettings, unmetBaseImage } from '../kit/settings.js'
import { checkNodeImage } from './node-image.js'
import { checkHostFacts, readHostFacts } from './preflight.js'
import { kindSettings } from './settings.js'

export async function checkKind(request: EnvironmentRequest): Promise<readonly Unmet[]> {
  const settings = platformSettings(kindSettings, request)
  const { mirrors, nodeImage } = settings
  const pullCommand = pullCommandFor(request.config.platform, chartMeshes(request))
  const [engine, dockerCli, tools, facts] = await Promise.all([
    findEngine(),
    findProgram('docker'),
    checkTools({ names: ['kind', ...clusterTools(request)], mirrors, pullCommand }),
    readHostFacts(),
  ])
  const docker = isMissing(engine) ? undefined : engine
  const wish = { cgroup: docker?.cgroup ?? facts.cgroup, nodeImage, mirrors, pullCommand }
  return [
    ...(isMissing(engine)
      ? [
          {
            need: 'a Docker engine that can run privileged containers',
            found: engine.tried.map(({ address, problem }) => `${address}: ${problem}`).join('; '),
            remedy: 'start Docker, or name the engine in DOCKER_HOST; --platform local needs none',
          },
        ]
      : []),
    ...(dockerCli === undefined ? [noDockerCli] : []),
    ...tools,
    ...checkGeneratorPods(request, settings.generatorPods),
    ...(await checkNodeImage(wish, docker?.docker)),
    ...(await unmetBaseImage('kind', settings)),
    ...checkHostFacts(facts, { nodes: 1 + settings.workers, pods: podsOf(request) }),
  ]
}

const noDockerCli: Unmet = {
  need: 'the docker command, which kind runs',
  found: 'not on the PATH',
  remedy: 'install the Docker CLI (the package docker-ce-cli or docker.io)',
}

function podsOf({ arms, paths }: EnvironmentRequest): number {
  return arms.reduce(
    (sum, arm) => sum + 2 + (paths.find(({ name }) => name === arm.path)?.hops.length ?? 0),
    0,
  )
}
