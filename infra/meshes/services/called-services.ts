/**
 * Services that functions of L7 hops call: which there are, what may be set of them, and how they are raised beside an arm's
 * hops. Each arm has its own, so that what one is asked, and what that costs, is this arm's alone.
 */
import { z } from 'zod'
import type {
  Arm,
  CalledService,
  Component,
  Endpoint,
  EnvironmentRequest,
  Host,
  Path,
  Platform,
  Unmet,
  Workload,
} from '../../../harness/model.js'
import { calledServices, settingsOf } from '../../../harness/model/variants.js'

/** By name, which is also that of the cluster under which the functions reach it; it listens in plain text. */
export const servicesSchema = z
  .strictObject({
    /** External authorization over HTTP: lets pass what carries this field with this value, and denies the rest with 403. */
    authorizer: z.strictObject({
      header: z.string().min(1).describe('field that a request has to carry'),
      value: z.string().describe('what it has to say'),
    }),
    /** Where copies of requests go: an application as the arm's own, whose answers nobody waits for. */
    mirror: z.strictObject({}),
    /** Who has issued tokens: has its public keys (RFC 7517) at `/.well-known/jwks.json`. */
    issuer: z.strictObject({
      jwks: z.strictObject({
        keys: z
          .array(z.looseObject({ kty: z.string().describe('kind of the key, as RFC 7517 names it') }))
          .min(1)
          .describe('public keys'),
      }),
    }),
    /** A rate limit service of Envoy's API over gRPC: over the limit is what comes after so many within a second. */
    rateLimiter: z.strictObject({
      requestsPerSecond: z.number().min(0).max(1_000_000_000).describe('of all that ask, together; 0: none'),
    }),
  })
  .partial()

export type ServicesSettings = z.output<typeof servicesSchema>

export interface ServiceEndpoint extends Endpoint {
  readonly protocol: 'http1' | 'h2'
}

export type ServiceEndpoints = Readonly<Partial<Record<CalledService, ServiceEndpoint>>>

/** What the echo image is told to be (infra/images/echo/config.ts). */
type Listener = Readonly<Record<string, unknown>>

/** A listener for each, from its settings; the schema has checked them. */
const listeners: { [Name in keyof ServicesSettings]-?: (settings: never) => Listener } = {
  authorizer: ({ header, value }: { header: string; value: string }) => ({
    kind: 'authorizer',
    allow: { header, value },
  }),
  mirror: () => ({ kind: 'http' }),
  issuer: ({ jwks }: { jwks: unknown }) => ({ kind: 'issuer', jwks }),
  rateLimiter: ({ requestsPerSecond }: { requestsPerSecond: number }) => ({
    kind: 'rate-limiter',
    requestsPerSecond,
  }),
}

export const protocolOf = (name: CalledService): ServiceEndpoint['protocol'] =>
  name === 'rateLimiter' ? 'h2' : 'http1'

export interface RaisedServices {
  readonly endpoints: ServiceEndpoints
  readonly components: readonly Component[]
}

/** Starts what the functions of an arm's L7 hops call; nothing where the path has none that could. */
export async function raiseServices(
  host: Host,
  arm: Arm,
  path: Path,
  settings: ServicesSettings = {},
): Promise<RaisedServices> {
  // A service is on the node of the last hop that calls it: those before have to reach that node, too.
  const caller = path.hops.findLast(({ layer }) => layer === 'l7')
  const endpoints: Partial<Record<CalledService, ServiceEndpoint>> = {}
  const components: Component[] = []
  if (!caller) return { endpoints, components }
  for (const [name, own] of Object.entries(settings) as [keyof ServicesSettings, unknown][]) {
    const component: Component = {
      ...{ name: `${arm.id}/${name}`, arm: arm.id, node: caller.node },
      ...({ category: 'called-service', service: name } as const),
    }
    const deployed = await host.deploy(workloadOf(component, listeners[name](own as never)))
    const at = deployed.endpoints.service
    if (!at) throw new Error(`${component.name} has no listener named service`)
    endpoints[name] = { ...at, protocol: protocolOf(name) }
    components.push(deployed.component)
  }
  return { endpoints, components }
}

function workloadOf(component: Component, listener: Listener): Workload {
  return {
    component,
    program: { kind: 'image', image: 'echo' },
    listeners: ['service', 'admin'],
    files: {},
    config: ({ bindHost: host, ports }) => ({
      admin: { host, port: ports.admin },
      listeners: [{ name: 'service', host, port: ports.service, ...listener }],
    }),
  }
}

/**
 * Tells before anything is started that a platform cannot raise what functions of a mesh call. A variant that needs one is left
 * out by the plan; here it is the mesh's own settings that name it.
 */
export function unmetServices(
  mesh: string,
  { config, arms }: EnvironmentRequest,
  { raisesServices }: Pick<Platform, 'raisesServices'>,
): readonly Unmet[] {
  if (raisesServices) return []
  const own = arms.filter((arm) => arm.mesh === mesh)
  const called = new Set(own.flatMap((arm) => calledServices(settingsOf(config, arm))))
  if (called.size === 0) return []
  return [
    {
      need: `services for meshSettings.${mesh}.proxy.services: ${[...called].join(', ')}`,
      found: `${config.platform}, which deploys hops alone`,
      remedy: 'measure on local, docker or netns, or leave the functions that call them out',
    },
  ]
}
