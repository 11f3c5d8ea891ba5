/** What a function is to Envoy's configuration: what it adds to a hop, and what it has to know of it. */
import type { FiltersConfig } from '../../../images/proxy/filters/index.js'
import { typed, type JsonObject } from '../blocks.js'

export interface EnvoyFunctions {
  /** HTTP filters before the router, in order. */
  readonly filters: readonly JsonObject[]
  readonly action: JsonObject
  readonly route: JsonObject
  /** Fields of the circuit breaker of the service's cluster. */
  readonly thresholds: JsonObject
  /** Other fields of that cluster. */
  readonly cluster: JsonObject
  /** The zone whose endpoints are used first. */
  readonly nearZone?: string
}

/** What a hop knows that a function may need. */
export interface FunctionContext {
  /** Where the client's SPIFFE id is: in its certificate, or in the filter state that HBONE's end has left. */
  readonly principal?: 'tls' | { readonly filterState: string }
  /** Clusters that functions may name → Envoy's name for them. */
  readonly clusters: ReadonlyMap<string, string>
}

export type Config<Name extends keyof FiltersConfig> = NonNullable<FiltersConfig[Name]>

export interface Rendering<Name extends keyof FiltersConfig> {
  /** How Envoy differs from this repository's proxy. */
  readonly differs?: string
  render(config: Config<Name>, context: FunctionContext): Partial<EnvoyFunctions>
}

export function clusterNamed(name: string, { clusters }: FunctionContext): string {
  const found = clusters.get(name)
  if (found === undefined) {
    throw new Error(`no cluster named ${name}; there are ${[...clusters.keys()].join(', ')}`)
  }
  return found
}

export function httpFilter(name: string, type: string, fields: JsonObject): JsonObject {
  return { name: `envoy.filters.http.${name}`, typed_config: typed(type, fields) }
}

/** Envoy counts in millionths. */
export function fraction(share: number): JsonObject {
  return { numerator: Math.round(share * 10_000), denominator: 'MILLION' }
}
