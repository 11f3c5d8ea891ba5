/** What the config's `meshSettings` may hold of hops; laid over the config of each. */
import { z } from 'zod'
import { securitySchema } from '../../../harness/model/paths.js'
import { addressSchema, poolSchema } from '../../images/kit/process/config.js'
import { filters } from '../../images/proxy/filters/index.js'
import { servicesSchema } from '../services/called-services.js'

/** Functions of an L7 hop, by name, whoever makes it; their fields are checked by the hop when it starts. */
const filterNames = Object.keys(filters) as FilterName[]

type FilterName = keyof typeof filters

const filtersOf = (names: readonly FilterName[]) =>
  z.partialRecord(z.enum(names), z.record(z.string(), z.unknown())).optional()

export const weightSchema = z.int().min(1).max(10_000)

/** Where an L7 hop sends what it has taken. */
const targets = {
  /** Shares of the traffic by weight, exact and interleaved; each is a cluster of its own. */
  split: z
    .array(
      z.strictObject({
        /** Its part of the sum of all weights. */
        weight: weightSchema,
        /** Absent: the server. */
        at: addressSchema.optional(),
      }),
    )
    .min(2)
    .max(16)
    .optional(),
  /** Localities of the service's endpoints; `filters.locality` names the one that is near. */
  zones: z
    .array(
      z.strictObject({
        /** Of the zone, region or node. */
        name: z.string().min(1).max(63),
        /** Absent: the server. */
        at: addressSchema.optional(),
      }),
    )
    .min(1)
    .max(16)
    .optional(),
}

/** The arm is told apart by it wherever it is named, and proved to be carried so; read by `transportOf` (harness/model/variants.ts). */
export const transportSettings = {
  /** What protects the legs between hops that the path encrypts; absent: `mtls`, as the path says. */
  transport: securitySchema.optional(),
}

export const portsSchema = z.array(z.int().min(1).max(65_535)).min(1)

/** Functions of an L4 hop, whoever makes it. */
const l4Functions = {
  /** Ports of the service that a client may reach, checked where HBONE ends; absent: any. */
  ports: portsSchema.optional(),
  /** Of the service, among which connections are spread where HBONE ends; absent: the server alone. */
  endpoints: z
    .array(
      z.strictObject({
        /** Absent: the server. */
        at: addressSchema.optional(),
      }),
    )
    .min(2)
    .max(16)
    .optional(),
  /** Which of several endpoints a connection goes to; absent: they take turns. */
  balance: z.enum(['round-robin', 'least-connections']).optional(),
}

const services = servicesSchema.optional()

/** Of this repository's tunnel: its functions, and its pool of HBONE connections. */
export const tunnelSettings = {
  tunnel: z
    .strictObject({
      /** Of HBONE connections, by source identity and destination. */
      pool: z.strictObject(poolSchema.unwrap().shape).partial().optional(),
      ...l4Functions,
      /** Of connections by the identities at their ends: how many, how long, bytes. */
      connectionMetrics: z.boolean().optional(),
    })
    .optional(),
}

/** Of an L4 hop of another vendor. */
export const vendorTunnelSettings = { tunnel: z.strictObject(l4Functions).optional() }

/** Of this repository's proxy. */
export const proxySettings = {
  proxy: z
    .strictObject({
      /** Functions by name, with their settings; see `meshbench list`. */
      filters: filtersOf(filterNames),
      ...targets,
      /** What functions call, by the name of the cluster that they name: raised for each arm, where the platform can. */
      services,
      /** Threads that share the connections. */
      workers: z.int().min(0).optional(),
    })
    .optional(),
}

/** Of an L7 hop of another vendor, which has these functions: they are named as this repository's proxy names them. */
export const vendorSettings = (names: readonly FilterName[]) => ({
  proxy: z
    .strictObject({
      /** Functions by name, with their settings; see `meshbench list`. */
      filters: filtersOf(names),
      ...targets,
      services,
    })
    .optional(),
  /** Servers that functions may call or mirror to, by name; `server` is the service itself. */
  clusters: z.record(z.string(), addressSchema).optional(),
})

/** Of the mesh. */
export const captureSettings = { capture: z.enum(['none', 'redirect']).optional() }
export const transparentSettings = {
  /**
   * Hops are dialled (`none`), or the kernel leads traffic to them; either way in namespaces of the arm's own. `tproxy` leaves
   * what comes to a hop the address that it was meant for, which the hop has to be able to listen at.
   */
  capture: z.enum(['none', 'redirect', 'tproxy']).optional(),
}

type Shape = typeof transparentSettings &
  typeof transportSettings &
  typeof tunnelSettings &
  Pick<ReturnType<typeof vendorSettings>, 'clusters'> &
  typeof proxySettings

export type HopSettings = z.infer<z.ZodObject<Shape>>

/** Name of the cluster of a share: that of the service for the first, as it is without a split. */
export const shareName = (service: string, index: number) =>
  index === 0 ? service : `${service}_share_${index + 1}`
