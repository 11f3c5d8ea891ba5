/** What a filter may do. A chain has a list per kind of step, so that a step that no filter takes costs nothing. */
import type { z } from 'zod'
import type { Registry } from '../../kit/process/metrics.js'
import type { Cluster, Endpoint } from '../upstream/cluster.js'
import type { ResponseHead } from './message.js'
import type { Reply } from './reply.js'
import type { FailureKind } from './sides.js'
import type { FilterExchange } from './view.js'

export interface AttemptOutcome {
  /** `cancelled`: the proxy or the client gave the attempt up. */
  readonly kind: FailureKind | 'response' | 'cancelled'
  /** 0 when there was no response. */
  readonly status: number
}

export interface Filter {
  /** Before routing. Returns a reply to end the exchange here. */
  request?(exchange: FilterExchange): Reply | undefined | Promise<Reply | undefined>
  /** Before each try at an upstream. */
  attempt?(exchange: FilterExchange): Reply | undefined
  /** Narrows the endpoints that may be chosen. */
  candidates?(exchange: FilterExchange, endpoints: readonly Endpoint[]): readonly Endpoint[]
  /** Chooses one of several. */
  choose?(exchange: FilterExchange, endpoints: readonly Endpoint[]): Endpoint | undefined
  /** After each try, when its response is whole or it failed. */
  attemptEnd?(exchange: FilterExchange, endpoint: Endpoint, outcome: AttemptOutcome): void
  /** Milliseconds until another try, or undefined for none. */
  retry?(exchange: FilterExchange, outcome: AttemptOutcome): number | undefined
  /** Before the head goes to the client. */
  response?(exchange: FilterExchange, head: ResponseHead): void
  /** When all is over. */
  end?(exchange: FilterExchange): void
  /** The chain is replaced: stop timers. */
  close?(): void
  /** Request bodies are kept (up to `limits.bufferBytes`) until the exchange is over. */
  readonly keepsBody?: boolean
  /** `FilterExchange.startedAtMs` is needed. */
  readonly needsTime?: boolean
}

export interface FilterContext {
  readonly registry: Registry
  /** By name; for filters that send requests of their own. */
  readonly clusters: ReadonlyMap<string, Cluster>
  /** Folder that relative file names start from. */
  readonly baseDir: string
  log(event: string, fields?: Readonly<Record<string, unknown>>): void
}

export interface FilterDefinition<C> {
  readonly schema: z.ZodType<C>
  create(config: C, context: FilterContext): Filter
}

/** Keeps the config's type between schema and `create`. */
export function defineFilter<C>(definition: FilterDefinition<C>): FilterDefinition<C> {
  return definition
}

type With<K extends keyof Filter> = Filter & Required<Pick<Filter, K>>

export interface Chain {
  readonly request: readonly With<'request'>[]
  readonly attempt: readonly With<'attempt'>[]
  readonly candidates: readonly With<'candidates'>[]
  readonly choose: readonly With<'choose'>[]
  readonly attemptEnd: readonly With<'attemptEnd'>[]
  readonly retry: readonly With<'retry'>[]
  readonly response: readonly With<'response'>[]
  readonly end: readonly With<'end'>[]
  readonly keepsBody: boolean
  readonly needsTime: boolean
  close(): void
}

export function createChain(filters: readonly Filter[]): Chain {
  const having = <K extends keyof Filter>(step: K): With<K>[] =>
    filters.filter((filter): filter is With<K> => filter[step] !== undefined)
  return {
    request: having('request'),
    attempt: having('attempt'),
    candidates: having('candidates'),
    choose: having('choose'),
    attemptEnd: having('attemptEnd'),
    retry: having('retry'),
    response: having('response'),
    end: having('end'),
    keepsBody: filters.some(({ keepsBody }) => keepsBody === true),
    needsTime: filters.some(({ needsTime }) => needsTime === true),
    close() {
      for (const filter of filters) filter.close?.()
    },
  }
}

/** An endpoint of the exchange's cluster, or undefined when none may be used. Without filters: round robin. */
export function pickEndpoint(
  { candidates, choose }: Chain,
  exchange: FilterExchange,
  cluster: Cluster,
): Endpoint | undefined {
  let list = cluster.endpoints
  for (const filter of candidates) list = filter.candidates(exchange, list)
  if (list.length < 2) return list[0]
  for (const filter of choose) return filter.choose(exchange, list)
  return cluster.roundRobin(list)
}
