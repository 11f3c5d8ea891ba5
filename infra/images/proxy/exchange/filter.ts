/** What a filter sees of an exchange, and what it may do. A chain has a list per kind of step, so that a step that no filter takes costs nothing. */
import type { z } from 'zod'
import type { Registry } from '../../kit/process/metrics.js'
import type { Cluster, Endpoint } from '../upstream/cluster.js'
import type { Fields, RequestHead, ResponseHead } from './message.js'
import type { Reply } from './reply.js'
import type { Client, FailureKind } from './sides.js'

export interface FilterExchange {
  readonly request: RequestHead
  readonly client: Client
  readonly cluster: Cluster | undefined
  readonly endpoint: Endpoint | undefined
  /** The head that was sent to the client. */
  readonly response: ResponseHead | undefined
  readonly trailers: Fields | undefined
  /** Tries at an upstream so far. */
  readonly attempts: number
  readonly requestBytes: number
  readonly responseBytes: number
  /** Why there was no good answer, for the access log. */
  readonly failure: string
  /** `performance.now()` at the start; 0 when no filter needs the time. */
  readonly startedAtMs: number
  /** The whole request body when it is at hand. */
  readonly wholeBody: Buffer | undefined
  claims: Readonly<Record<string, unknown>> | undefined
  /** Answers in the upstream's place. */
  reply(reply: Reply): void
  /** Ends the running attempt as failed; it may be retried. */
  failAttempt(kind: FailureKind): void
}

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

export function createChain(filters: readonly Filter[]) {
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
    close(): void {
      for (const filter of filters) filter.close?.()
    },
  }
}

export type Chain = ReturnType<typeof createChain>

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
