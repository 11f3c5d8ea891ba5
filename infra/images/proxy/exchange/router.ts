/** Chooses a cluster by host, path, method and header, and splits traffic between clusters by weight. */
import type { Cluster } from '../upstream/cluster.js'
import type { ProxyRouteConfig } from '../shapes.js'
import type { RequestHead } from './message.js'

export type Route = (request: RequestHead) => Cluster | undefined

/** Compiles the routes. One route that takes everything costs a function call. */
export function createRouter(
  routes: readonly ProxyRouteConfig[],
  clusters: ReadonlyMap<string, Cluster>,
): Route {
  const compiled = routes.map((route) => ({
    matches: compileMatch(route.match),
    choose: compileTarget(route, clusters),
    rewrite: compileRewrite(route),
  }))
  const [first] = compiled
  const only = compiled.length === 1 ? first : undefined
  if (only?.matches === undefined && only?.rewrite === undefined && only !== undefined) {
    return only.choose
  }
  return (request) => {
    for (const { matches, choose, rewrite } of compiled) {
      if (matches !== undefined && !matches(request)) continue
      rewrite?.(request)
      return choose(request)
    }
    return undefined
  }
}

type Match = (request: RequestHead) => boolean

function compileMatch(match: ProxyRouteConfig['match']): Match | undefined {
  const tests: Match[] = []
  const { prefix, path, hosts, methods, headers } = match
  if (path !== undefined) tests.push((request) => pathOf(request) === path)
  if (prefix !== undefined && prefix !== '/') {
    // A prefix ends at a path segment: /a matches /a and /a/b, and not /ab.
    const whole = prefix.endsWith('/') ? prefix : `${prefix}/`
    tests.push((request) => {
      const actual = pathOf(request)
      return actual === prefix || actual.startsWith(whole)
    })
  }
  if (hosts !== undefined) {
    const exact = new Set(hosts.filter((host) => !host.startsWith('*.')).map((host) => host.toLowerCase()))
    const suffixes = hosts.filter((host) => host.startsWith('*.')).map((host) => host.slice(1).toLowerCase())
    tests.push((request) => {
      const host = request.authority.replace(/:\d*$/, '').toLowerCase()
      return exact.has(host) || suffixes.some((suffix) => host.endsWith(suffix))
    })
  }
  if (methods !== undefined) tests.push((request) => methods.includes(request.method))
  for (const { name, value } of headers ?? []) {
    const wanted = name === 'host' ? value?.toLowerCase() : value
    tests.push((request) => {
      const actual = name === 'host' ? request.authority.toLowerCase() : request.fields.join(name)
      return wanted === undefined ? actual !== undefined : actual === wanted
    })
  }
  if (tests.length === 0) return undefined
  return (request) => tests.every((test) => test(request))
}

function compileRewrite({
  match,
  prefixRewrite,
  hostRewrite,
}: ProxyRouteConfig): ((request: RequestHead) => void) | undefined {
  if (prefixRewrite === undefined && hostRewrite === undefined) return undefined
  return (request) => {
    if (prefixRewrite !== undefined) {
      const rest = request.path.slice((match.prefix as string).length)
      const joined =
        prefixRewrite.endsWith('/') && rest.startsWith('/')
          ? prefixRewrite + rest.slice(1)
          : prefixRewrite + rest
      request.path = joined
    }
    if (hostRewrite !== undefined) request.authority = hostRewrite
  }
}

function compileTarget(route: ProxyRouteConfig, clusters: ReadonlyMap<string, Cluster>): Route {
  if (route.cluster !== undefined) {
    const cluster = clusters.get(route.cluster)
    return () => cluster
  }
  // Smooth weighted round robin: over each period of the sum of weights every share is exact, and shares are interleaved.
  const entries = (route.split ?? []).map(({ cluster, weight }) => ({
    cluster: clusters.get(cluster),
    weight,
    current: 0,
  }))
  const total = entries.reduce((sum, { weight }) => sum + weight, 0)
  return () => {
    let best: (typeof entries)[number] | undefined
    for (const entry of entries) {
      if (entry.weight === 0) continue
      entry.current += entry.weight
      if (best === undefined || entry.current > best.current) best = entry
    }
    if (best !== undefined) best.current -= total
    return best?.cluster
  }
}

export function pathOf(request: RequestHead): string {
  const { path } = request
  const query = path.indexOf('?')
  return query < 0 ? path : path.slice(0, query)
}
