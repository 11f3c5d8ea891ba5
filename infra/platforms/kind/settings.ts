/** Settings of the kind platform: the size of the cluster and what each container may use. */
import { z } from 'zod'
import { UserError } from '../../../harness/model/errors.js'
import type { EnvironmentRequest } from '../../../harness/model.js'
import { generatorPods } from '../kit/generator-pods.js'
import { generatorImage, imageByDigest, programImages } from '../kit/image-settings.js'

const limits = z.strictObject({ cpus: z.number().positive(), memoryMib: z.number().int().min(64) })

const schema = z.strictObject({
  /** Image of the nodes; without it the newest that the pinned kind was released with and the host's cgroups allow. */
  nodeImage: z.string().min(1).optional(),
  /** Base image by digest of this repository's images; without it one is assembled from the running node. */
  baseImage: imageByDigest.optional(),
  programImages,
  generatorImage,
  /** Registry or URL prefix → what to fetch from instead, for tools and for the image of the nodes. */
  mirrors: z.record(z.string(), z.string().min(1)).default({}),
  /** Nodes that clients, servers and waypoints are pinned to; with 1 or 2 some of them share a node. */
  workers: z.number().int().min(1).max(3).default(3),
  hop: limits.default({ cpus: 2, memoryMib: 1024 }),
  application: limits.default({ cpus: 2, memoryMib: 1024 }),
  generator: limits.default({ cpus: 2, memoryMib: 1024 }),
  generatorPods,
  /** Leave the cluster standing after the run, for `reuse`; `meshbench clean` removes it. */
  keep: z.boolean().default(false),
  /** Use a cluster that was kept, when there is one like what is wanted; it stays. */
  reuse: z.boolean().default(false),
  /** How long `kind create cluster` may take. */
  createTimeoutSeconds: z.number().int().min(30).default(300),
})

export type KindSettings = z.infer<typeof schema>

/** Throws a `UserError` that names every wrong field. */
export function kindSettings(request: EnvironmentRequest): KindSettings {
  const all = request.config.platformSettings
  const result = schema.safeParse(all.kind ?? {})
  if (result.success) return result.data
  throw new UserError(`platformSettings.kind is wrong: ${z.prettifyError(result.error)}`)
}
