/** Layers, hops and the paths that they form. */
import { z } from 'zod'
import { count, list, name, object, text } from './shape.js'

/** OSI layer at which a hop works: an L4 hop moves bytes, an L7 hop parses requests. */
export const layerSchema = z.enum(['l4', 'l7'])

/** A place of a platform: on `kind` a worker, on `docker` a network, on `local` only a name. */
export const nodeRoleSchema = z.enum(['client', 'server', 'waypoint'])
export type NodeRole = z.infer<typeof nodeRoleSchema>

/**
 * Who pays: the row of the bill to which a component's CPU and memory are charged. `platform` is what runs the
 * components and is there without any mesh, such as a cluster's kubelets and API server. A `called-service` is what a
 * function of the hops asks: it works for the function, and is no part of what the hops themselves cost.
 */
export const billCategorySchema = z.enum([
  'generator',
  'application',
  'l4',
  'l7',
  'called-service',
  'control-plane',
  'platform',
])
export type BillCategory = z.infer<typeof billCategorySchema>

/** `ingress` is where requests from outside enter the mesh. */
const hopRoleSchema = z.enum([
  'sidecar-outbound',
  'sidecar-inbound',
  'waypoint',
  'ingress',
  'per-node',
  'tunnel-outbound',
  'tunnel-inbound',
])

/** What functions of L7 hops can call, by what it does for them. */
export const calledServiceSchema = z.enum(['authorizer', 'mirror', 'issuer', 'rateLimiter'])
export type CalledService = z.infer<typeof calledServiceSchema>

/** One proxy or tunnel that a request passes. */
export const hopSchema = object({
  /** Unique within the path, for example `client-tunnel`. */
  name,
  role: hopRoleSchema,
  layer: layerSchema,
  node: nodeRoleSchema,
})
export interface Hop extends z.infer<typeof hopSchema> {}

/**
 * How bytes travel between two neighbours on a path: by themselves, in plain text, over TLS where the server alone shows a
 * certificate, or over mutual TLS; or in CONNECT streams of HTTP/2, which over mutual TLS are HBONE.
 */
export const legTransportSchema = z.enum(['plain', 'tls', 'mtls', 'connect', 'connect-tls', 'hbone'])
export type LegTransport = z.infer<typeof legTransportSchema>

/** What protects the legs between hops: nothing, a certificate of the server, or one of each side. */
export const securitySchema = z.enum(['plain', 'tls', 'mtls'])
export type Security = z.infer<typeof securitySchema>

const securities: Readonly<Record<LegTransport, Security>> = {
  plain: 'plain',
  tls: 'tls',
  mtls: 'mtls',
  connect: 'plain',
  'connect-tls': 'tls',
  hbone: 'mtls',
}

export const securityOf = (leg: LegTransport): Security => securities[leg]
export const isConnect = (leg: LegTransport): boolean =>
  leg === 'connect' || leg === 'connect-tls' || leg === 'hbone'

/** The same leg with another protection. */
const legWith = (leg: LegTransport, security: Security): LegTransport =>
  legTransportSchema.options.find(
    (other) => isConnect(other) === isConnect(leg) && securityOf(other) === security,
  ) ?? leg

/**
 * Hops of an arm that are up a second time: for its workload of this number, from 2 on, for what is nobody's workload, or as
 * a unit of its L7 capacity, from `unit-1` on. A unit of sidecars has an application of its own.
 */
export const copySchema = object({
  of: name,
  which: z.union([count, z.literal('spare'), z.templateLiteral(['unit-', z.int().positive()])]),
  /** Cores that each of its L7 hops may use; absent: as many as there are. */
  cpusPerHop: z.number().positive().exactOptional(),
})
export type Copy = z.infer<typeof copySchema>

/** A path: the hops of a request in order, and how each leg between them is carried. */
export const pathSchema = object({
  name,
  /** Short label for charts, for example `L4-L7-L4`. */
  label: name,
  /** One sentence for `meshbench list` and the report. */
  summary: text,
  /** Stable colour of this path in every chart (Okabe-Ito), for light and dark grounds. */
  colour: object({ light: text, dark: text }),
  hops: list(hopSchema),
  /** `hops.length + 1` legs: client → hop 0, …, last hop → server. */
  legs: list(legTransportSchema),
})
export interface Path extends z.infer<typeof pathSchema> {}

/** A leg that its path protects, so that an arm may carry it otherwise. */
export const hasProtectedLegs = ({ legs }: Path): boolean => legs.some((leg) => securityOf(leg) !== 'plain')

/** A path as an arm takes it: what the path protects is carried as the arm says; absent: as the path says. */
export function carriedPath({ transport }: { readonly transport?: Security }, path: Path): Path {
  if (transport === undefined) return path
  const legs = path.legs.map((leg) => (securityOf(leg) === 'plain' ? leg : legWith(leg, transport)))
  return { ...path, legs }
}
