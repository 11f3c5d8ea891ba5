/** Settings of the kubernetes platform, and what keeps load away from clusters that people depend on. */
import { z } from 'zod'
import { UserError } from '../../../harness/model/errors.js'
import type { EnvironmentRequest } from '../../../harness/model.js'
import { generatorPods } from '../kit/generator-pods.js'
import { programImages } from '../kit/image-settings.js'

const limits = z.strictObject({ cpus: z.number().positive(), memoryMib: z.number().int().min(64) })
const selector = z.record(z.string(), z.string())

const schema = z.strictObject({
  /** Context of the kubeconfig; without it the current one, unless that looks like production. */
  context: z.string().min(1).optional(),
  /** References that the nodes can pull. */
  images: z
    .strictObject({ echo: z.string(), tunnel: z.string(), proxy: z.string(), loadgen: z.string() })
    .optional(),
  programImages,
  /** Labels of the node that plays each role; without them the first ready nodes by name. */
  nodeSelectors: z
    .strictObject({ client: selector, server: selector, waypoint: selector })
    .partial()
    .default({}),
  /** Meshes that install custom resources and webhooks may do so. */
  allowClusterScope: z.boolean().default(false),
  hop: limits.default({ cpus: 2, memoryMib: 1024 }),
  application: limits.default({ cpus: 2, memoryMib: 1024 }),
  generator: limits.default({ cpus: 2, memoryMib: 1024 }),
  generatorPods,
})

export type KubernetesSettings = z.infer<typeof schema>

/** Throws a `UserError` that names every wrong field. */
export function kubernetesSettings(request: EnvironmentRequest): KubernetesSettings {
  const all = request.config.platformSettings
  const result = schema.safeParse(all.kubernetes ?? {})
  if (result.success) return result.data
  throw new UserError(`platformSettings.kubernetes is wrong: ${z.prettifyError(result.error)}`)
}

/** A word of the context's name that people give to clusters which customers use. */
export function looksLikeProduction(context: string): boolean {
  return context
    .toLowerCase()
    .split(/[^a-z]+/)
    .some((word) => ['prod', 'prd', 'production', 'live', 'customer'].includes(word))
}
