/** Turns workloads into the containers, ConfigMaps and Secrets that carry them, purely. */
import type { Workload } from '../../../../harness/model.js'
import { configText, containerCommand } from '../../../supply/container-images/command.js'
import { idleScript } from '../../kit/remote-scripts.js'
import type { Limits } from '../../kit/settings.js'
import type { KubeHostOptions } from '../host-options.js'
import {
  configMapManifest,
  secretManifest,
  type ContainerTemplate,
  type Manifest,
  type VolumeTemplate,
} from './manifests.js'
import { dnsLabel } from './names.js'

const configFolder = '/etc/meshbench/config'
const filesFolder = '/etc/meshbench/files'

export interface RenderOptions {
  readonly workload: Workload
  /** Container name, unique in its pod; its objects are named after it. */
  readonly name: string
  readonly namespace: string
  readonly runId: string
  readonly image: string
  readonly limits: Limits
  /** First of its listeners' ports. */
  readonly firstPort: number
}

export interface RenderedWorkload {
  readonly container: ContainerTemplate
  readonly volumes: readonly VolumeTemplate[]
  readonly objects: readonly Manifest[]
  readonly ports: Readonly<Record<string, number>>
}

/** A workload as a container: its config in a ConfigMap, its credentials in a Secret. */
export function renderWorkload(options: RenderOptions): RenderedWorkload {
  const { workload, name, namespace, runId, image, limits, firstPort } = options
  const { program, listeners, files } = workload
  const ports = Object.fromEntries(listeners.map((listener, index) => [listener, firstPort + index]))
  const config = workload.config({
    bindHost: '0.0.0.0',
    ports,
    file: (file) => `${filesFolder}/${name}/${file}`,
  })
  const configName = `${name}-config`
  const filesName = `${name}-files`
  const hasFiles = Object.keys(files).length > 0
  const admin = ports.admin
  return {
    ports,
    container: {
      name,
      image,
      command: containerCommand(program, `${configFolder}/${name}/config.json`),
      ports: Object.fromEntries(
        Object.entries(ports).map(([listener, port]) => [portName(name, listener), port]),
      ),
      ...readyProbe(program, admin),
      limits,
      mounts: {
        [configName]: `${configFolder}/${name}`,
        ...(hasFiles ? { [filesName]: `${filesFolder}/${name}` } : {}),
      },
    },
    volumes: [
      { name: configName, kind: 'configMap', source: configName },
      ...(hasFiles ? ([{ name: filesName, kind: 'secret', source: filesName }] as const) : []),
    ],
    objects: [
      configMapManifest(configName, namespace, runId, { 'config.json': configText(config) }),
      ...(hasFiles ? [secretManifest(filesName, namespace, runId, files)] : []),
    ],
  }
}

function readyProbe(program: Workload['program'], port: number | undefined) {
  const path = program.kind === 'image' ? '/healthz/ready' : program.readyPath
  return port === undefined || path === undefined ? {} : { ready: { path, port } }
}

/** The container in which load generators are run: it waits, since a pod is made once and each trial runs a command. */
export function clientContainer(
  { images, limits }: Pick<KubeHostOptions, 'images' | 'limits'>,
  name: string,
): ContainerTemplate {
  const { generator } = limits
  return { name, image: images.loadgen, command: idleScript(), ports: {}, limits: generator, mounts: {} }
}

/** Names of ports are unique in a pod and have at most 15 characters (core/v1 ContainerPort). */
function portName(container: string, listener: string): string {
  const name = dnsLabel(container, listener)
  return name.length <= 15 ? name : name.slice(-15).replace(/^-+/, '')
}
