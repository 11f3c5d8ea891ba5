/** Settings of the docker platform: what each container may use, and which image they are based on. */
import { z } from 'zod'
import { coreList } from '../kit/cores.js'
import { containerLimits, generatorImage, imageByDigest, programImages } from '../kit/settings.js'

export const dockerSettings = z.strictObject({
  /** Base image by digest; without it one is assembled from the running node, and nothing is pulled. */
  baseImage: imageByDigest.optional(),
  programImages,
  generatorImage,
  ...containerLimits,
  /** CPUs of each node's containers, for example `0-1`; without it they share all. */
  cpusets: z.partialRecord(z.enum(['client', 'server', 'waypoint']), coreList).default({}),
})

export type DockerSettings = z.infer<typeof dockerSettings>
