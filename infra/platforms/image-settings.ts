/** What the platforms of containers let a config say of images, in one way. */
import { z } from 'zod'

/** A reference that names one image for good. */
export const imageByDigest = z
  .string()
  .regex(
    /@sha256:[0-9a-f]{64}$/,
    'must end in a digest, such as @sha256:…, so that it names one image for good',
  )

/** Program → image that holds it by this name on its PATH; programs without one are taken from this machine. */
export const programImages = z.partialRecord(z.enum(['envoy', 'haproxy', 'nginx']), imageByDigest).default({})
