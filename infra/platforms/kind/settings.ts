/** Settings of the kind platform: the size of the cluster and what each container may use. */
import { z } from 'zod'
import {
  containerLimits,
  generatorImage,
  generatorPods,
  imageByDigest,
  programImages,
} from '../kit/settings.js'

export const kindSettings = z.strictObject({
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
  ...containerLimits,
  generatorPods,
  /** Leave the cluster standing after the run, for `reuse`; `meshbench clean` removes it. */
  keep: z.boolean().default(false),
  /** Use a cluster that was kept, when there is one like what is wanted; it stays. */
  reuse: z.boolean().default(false),
  /** How long `kind create cluster` may take. */
  createTimeoutSeconds: z.number().int().min(30).default(300),
})

export type KindSettings = z.infer<typeof kindSettings>
