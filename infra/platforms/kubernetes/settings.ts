/** Settings of the kubernetes platform, and what keeps load away from clusters that people depend on. */
import { z } from 'zod'
import { containerLimits, generatorPods, programImages } from '../kit/settings.js'

const selector = z.record(z.string(), z.string())

export const kubernetesSettings = z.strictObject({
  /** Context of the kubeconfig; without it the current one, unless that looks like production. */
  context: z.string().min(1).optional(),
  /** References of this project's four images, where the nodes pull them. */
  images: z
    .strictObject({
      echo: z.string().describe('the application, and services that functions call'),
      tunnel: z.string().describe('the L4 hop'),
      proxy: z.string().describe('the L7 hop'),
      loadgen: z.string().describe('the load generator'),
    })
    .optional(),
  programImages,
  /** Labels of the node that plays each role; without them the first ready nodes by name. */
  nodeSelectors: z
    .strictObject({ client: selector, server: selector, waypoint: selector })
    .partial()
    .default({}),
  /** Meshes that install custom resources and webhooks may do so. */
  allowClusterScope: z.boolean().default(false),
  ...containerLimits,
  generatorPods,
})

export type KubernetesSettings = z.infer<typeof kubernetesSettings>

/** A word of the context's name that people give to clusters which customers use. */
export function looksLikeProduction(context: string): boolean {
  return context
    .toLowerCase()
    .split(/[^a-z]+/)
    .some((word) => ['prod', 'prd', 'production', 'live', 'customer'].includes(word))
}
