/** What a proxy's config file may say. The JSON Schema beside this file is generated from it. */
import { z } from 'zod'
import { ConfigError, baseConfigShape, poolSchema, workloadSchema } from '../kit/process/config.js'
import { filtersSchema } from './filters/index.js'
import { clusterSchema, connectSecurity, limitsSchema, listenerSchema, routeSchema } from './shapes.js'

export const proxySchema = z.strictObject({
  ...baseConfigShape,
  identity: workloadSchema.optional().describe('Who this proxy is; needed for every transport but plain'),
  limits: limitsSchema,
  pool: poolSchema,
  listeners: z.array(listenerSchema).min(1),
  clusters: z.array(clusterSchema).min(1),
  routes: z
    .array(routeSchema)
    .min(1)
    .describe('The first that matches wins; a request that none matches gets 404'),
  filters: filtersSchema,
})

export type ProxyConfig = z.output<typeof proxySchema>

/** What the schema cannot say: references, uniqueness and what a transport needs. Throws `ConfigError`. */
export function verifyProxy(config: ProxyConfig): void {
  const problems: string[] = []
  const clusters = new Set<string>()
  for (const [i, cluster] of config.clusters.entries()) {
    const at = `config.clusters[${i}]`
    if (clusters.has(cluster.name)) problems.push(`${at}.name: ${cluster.name} is taken`)
    clusters.add(cluster.name)
    if (cluster.transport !== 'plain' && config.identity === undefined) {
      problems.push(`${at}.transport: ${cluster.transport} needs config.identity`)
    }
    if (connectSecurity(cluster.transport) && cluster.authority === undefined) {
      problems.push(`${at}.authority: missing, and ${cluster.transport} needs it`)
    }
  }
  const names = new Set(['admin'])
  for (const [i, listener] of config.listeners.entries()) {
    const at = `config.listeners[${i}]`
    if (names.has(listener.name)) problems.push(`${at}.name: ${listener.name} is taken`)
    names.add(listener.name)
    if (listener.transport !== 'plain' && config.identity === undefined) {
      problems.push(`${at}.transport: ${listener.transport} needs config.identity`)
    }
  }
  for (const [i, route] of config.routes.entries()) {
    const used = route.split?.map(({ cluster }) => cluster) ?? [route.cluster as string]
    for (const name of used) {
      if (!clusters.has(name)) problems.push(`config.routes[${i}]: ${name} is not one of config.clusters`)
    }
    if (route.split?.every(({ weight }) => weight === 0)) {
      problems.push(`config.routes[${i}].split: all weights are 0`)
    }
    if (route.prefixRewrite !== undefined && route.match.prefix === undefined) {
      problems.push(`config.routes[${i}].prefixRewrite: needs match.prefix`)
    }
  }
  const { mirror, externalAuthorization, jwt, globalRateLimit } = config.filters
  for (const [field, used] of Object.entries({
    mirror: mirror?.cluster,
    externalAuthorization: externalAuthorization?.cluster,
    'jwt.remoteJwks': jwt?.remoteJwks?.cluster,
    globalRateLimit: globalRateLimit?.cluster,
  })) {
    if (used !== undefined && !clusters.has(used)) {
      problems.push(`config.filters.${field}.cluster: ${used} is not one of config.clusters`)
    }
  }
  const limiter = config.clusters.find(({ name }) => name === globalRateLimit?.cluster)
  if (limiter !== undefined && limiter.protocol !== 'h2')
    problems.push(`config.filters.globalRateLimit.cluster: ${limiter.name} is not of protocol h2, as gRPC is`)
  if (problems.length > 0) throw new ConfigError(problems)
}
