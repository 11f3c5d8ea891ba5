/** Settings of the docker platform: what each container may use, and which image they are based on. */
import { z } from 'zod'
import { UserError } from '../../../harness/model/errors.js'
import type { EnvironmentRequest, NodeRole } from '../../../harness/model.js'
import { generatorImage, imageByDigest, programImages } from '../kit/image-settings.js'

const limits = z.strictObject({
  /** Cores; clamped to what the engine has. */
  cpus: z.number().positive(),
  memoryMib: z.number().int().min(64),
})

const schema = z.strictObject({
  /** Base image by digest; without it one is assembled from the running node, and nothing is pulled. */
  baseImage: imageByDigest.optional(),
  programImages,
  generatorImage,
  /** Equal for every hop of every mesh. 2 cores and 1 GiB are Istio's defaults for sidecars and waypoints. */
  hop: limits.default({ cpus: 2, memoryMib: 1024 }),
  application: limits.default({ cpus: 2, memoryMib: 1024 }),
  generator: limits.default({ cpus: 2, memoryMib: 1024 }),
  /** CPUs of each node's containers, for example `0-1`; without it they share all. */
  cpusets: z
    .partialRecord(z.enum(['client', 'server', 'waypoint']), z.string().regex(/^[0-9,-]+$/))
    .default({}),
})

export type DockerSettings = z.infer<typeof schema>
export type Limits = z.infer<typeof limits>

/** Throws a `UserError` that names every wrong field. */
export function dockerSettings(request: EnvironmentRequest): DockerSettings {
  const all = request.config.platformSettings
  const result = schema.safeParse(all.docker ?? {})
  if (result.success) return result.data
  throw new UserError(`platformSettings.docker is wrong: ${z.prettifyError(result.error)}`)
}

export function cpusetOf(settings: DockerSettings, node: NodeRole): string | undefined {
  return settings.cpusets[node]
}

/** Limits that the engine can grant: it refuses more CPUs than it has. */
export function clampLimits(limits: Limits, cpus: number): Limits {
  return { ...limits, cpus: Math.min(limits.cpus, cpus) }
}
