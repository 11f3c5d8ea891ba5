/** What the config's `meshSettings` may hold of hops; laid over the config of each. */
import { z } from 'zod'
import { addressSchema, poolSchema } from '../../images/kit/process/config.js'

/** Functions of an L7 hop, by name, whoever makes it; their fields are checked by the hop when it starts. */
export const filterNames = [
  'requestMetrics',
  'accessLog',
  'trace',
  'pause',
  'burn',
  'timeouts',
  'fault',
  'rateLimit',
  'jwt',
  'authorization',
  'externalAuthorization',
  'headers',
  'forwarded',
  'mirror',
  'circuitBreaker',
  'health',
  'outlier',
  'locality',
  'balance',
  'retry',
] as const

const filters = z.partialRecord(z.enum(filterNames), z.record(z.string(), z.unknown())).optional()

/** Of this repository's tunnel: its pool of HBONE connections. */
export const tunnelSettings = {
  tunnel: z
    .strictObject({
      /** Of HBONE connections, by source identity and destination. */
      pool: z.strictObject(poolSchema.unwrap().shape).partial().optional(),
    })
    .optional(),
}

/** Of this repository's proxy. */
export const proxySettings = {
  proxy: z
    .strictObject({
      /** Functions by name, with their settings; see `meshbench list`. */
      filters,
      /** Threads that share the connections. */
      workers: z.int().min(0).optional(),
    })
    .optional(),
}

/** Of an L7 hop of another vendor: functions are named as this repository's proxy names them. */
export const vendorSettings = {
  proxy: z
    .strictObject({
      /** Functions by name, with their settings; see `meshbench list`. */
      filters,
    })
    .optional(),
  /** Servers that functions may call or mirror to, by name; `server` is the service itself. */
  clusters: z.record(z.string(), addressSchema).optional(),
}

/**
 * Of the mesh: hops are dialled, or the kernel leads traffic to them; either way in namespaces of the arm's own. `tproxy`
 * leaves what comes to a hop the address that it was meant for, which the hop has to be able to listen at.
 */
export const captureSettings = { capture: z.enum(['none', 'redirect']).optional() }
export const transparentSettings = { capture: z.enum(['none', 'redirect', 'tproxy']).optional() }

type Shape = typeof transparentSettings &
  typeof tunnelSettings &
  Pick<typeof vendorSettings, 'clusters'> &
  typeof proxySettings

export type HopSettings = z.infer<z.ZodObject<Shape>>
