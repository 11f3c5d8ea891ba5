/** What the platforms of containers let a config say of images, in one way. */
import { z } from 'zod'
import { toolsOf } from '../../../harness/load/choice.js'
import type { EnvironmentRequest } from '../../../harness/model.js'

/** A reference that names one image for good. */
export const imageByDigest = z
  .string()
  .regex(
    /@sha256:[0-9a-f]{64}$/,
    'must end in a digest, such as @sha256:…, so that it names one image for good',
  )

/** Program → image that holds it by this name on its PATH; programs without one are taken from this machine. */
export const programImages = z.partialRecord(z.enum(['envoy', 'haproxy', 'nginx']), imageByDigest).default({})

/**
 * Image of the load generator, for engines that run a tool of others: this project's, with the tool on its PATH. Without it
 * the tool is taken from this machine.
 */
export const generatorImage = imageByDigest.optional()

/** What the settings and the plan's engines ask of the generator's image. */
export function generatorNeeds(
  { config }: EnvironmentRequest,
  settings: { readonly generatorImage?: string | undefined },
): { readonly tools: readonly string[]; readonly generatorImage?: string } {
  return {
    tools: toolsOf(Object.values(config.engines ?? {})),
    ...(settings.generatorImage === undefined ? {} : { generatorImage: settings.generatorImage }),
  }
}
