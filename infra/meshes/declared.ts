/** What the meshes of a request declare, put together for the platform that carries them. */
import type { ClusterNeeds, EnvironmentRequest, Mesh, NeededDownloads } from '../../harness/model.js'
import type { ClusterCommands } from '../../harness/model/cluster-access.js'
import { hasCharts } from '../supply/pull.js'
import type { ToolName } from '../supply/versions.js'
import { meshes } from './index.js'
import { pathsOf } from './paths-of.js'

/** Programs of others that meshes run, by name. */
export const meshPrograms: readonly string[] = [
  ...new Set(Object.values<Mesh>(meshes).flatMap(({ programs = [] }) => programs)),
]

/** Programs of others that are measured. */
export function programsOf(request: Measured): readonly string[] {
  return [...new Set(declaring(request).flatMap(({ mesh }) => mesh.programs ?? []))]
}

type Measured = Pick<EnvironmentRequest, 'arms' | 'paths' | 'config'>

/** Every mesh that is measured, with the paths that it is measured on. */
function declaring(request: Measured) {
  const names = new Set(request.arms.map(({ mesh }) => mesh))
  return Object.values<Mesh>(meshes)
    .filter(({ name }) => names.has(name))
    .map((mesh) => ({
      mesh,
      paths: pathsOf(mesh.name, request),
      settings: request.config.meshSettings[mesh.name],
    }))
}

/** What has to be downloaded, by mesh. */
export function meshDownloads(request: Measured): readonly NeededDownloads[] {
  return declaring(request).flatMap(({ mesh, paths, settings }) =>
    mesh.downloads ? [{ neededBy: mesh.name, ...mesh.downloads(paths, settings) }] : [],
  )
}

/** The meshes that helm installs, cluster-wide resources included. */
export function chartMeshes(request: Measured): readonly string[] {
  return meshDownloads(request)
    .filter(hasCharts)
    .map(({ neededBy }) => neededBy)
}

/** What would be installed on a cluster for a run: charts and images by mesh, and what the user lays over them. */
export function installLines(request: Measured): readonly string[] {
  return declaring(request).flatMap(({ mesh, paths, settings }) => {
    const { charts = [], images = [], manifests = [] } = mesh.downloads?.(paths, settings) ?? {}
    if (charts.length === 0) return []
    const pinned = [...charts, ...manifests].map(({ name, version }) => `${name} ${version}`)
    return [
      `${mesh.name}: ${pinned.join(', ')}`,
      `  images ${images.map(({ reference }) => reference).join(', ')}`,
      ...(mesh.overlays?.(settings, paths) ?? []).map(
        ({ name, value }) => `  ${name.slice(mesh.name.length + 1)}: ${value}`,
      ),
    ]
  })
}

/** How what a killed run left of a mesh is taken away; undefined of one that needs no more than that its namespace goes. */
export function remover(name: string): ((cluster: ClusterCommands) => Promise<void>) | undefined {
  const mesh = Object.values<Mesh>(meshes).find((known) => known.name === name)
  return mesh?.removeLeft && (async (cluster) => mesh.removeLeft?.(cluster))
}

/** The programs that a cluster is driven with. */
export function clusterTools(request: Measured): readonly ToolName[] {
  return chartMeshes(request).length > 0 ? ['kubectl', 'helm'] : ['kubectl']
}

/** What a cluster must be like for all of them. */
export function clusterNeeds(request: Measured): ClusterNeeds {
  const all = declaring(request).flatMap(
    ({ mesh, paths, settings }) => mesh.clusterNeeds?.(paths, settings) ?? [],
  )
  return {
    defaultCni: all.every(({ defaultCni }) => defaultCni),
    kubeProxy: all.every(({ kubeProxy }) => kubeProxy),
  }
}

/** Arms whose counters several client pods cannot be read from. */
export function singleClientArms(request: Measured): readonly string[] {
  return declaring(request).flatMap(({ mesh, paths }) => {
    const single = paths.filter(
      ({ hops: [first] }) =>
        mesh.manyClients === 'never' ||
        (mesh.manyClients === undefined && first?.role === 'sidecar-outbound'),
    )
    const names = new Set(single.map(({ name }) => name))
    return request.arms.filter((arm) => arm.mesh === mesh.name && names.has(arm.path)).map(({ id }) => id)
  })
}
