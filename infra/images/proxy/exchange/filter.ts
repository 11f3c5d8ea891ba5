/** What a filter may do. A chain has a list per kind of step, so that a step that no filter takes costs nothing. */
import type { z } from 'zod'
import type { HopMetrics } from '../../kit/process/hop-metrics.js'
import type { Registry } from '../../kit/process/metrics.js'
import type { Cluster, Endpoint } from '../upstream/cluster.js'
import type { Exchange } from './exchange.js'
import type { ResponseHead } from './message.js'

/** An answer of the proxy's own. */
export interface Reply {
  readonly status: number
  /** For metrics and the access log; not sent. */
  readonly reason: string
  /** Flat pairs. */
  readonly headers?: readonly string[]
  readonly body?: string
}

/** `refused`: the upstream says that it has done nothing with the request, so that whatever it is may be sent again. */
export type FailureKind = 'connect' | 'reset' | 'refused' | 'protocol' | 'timeout'

export interface AttemptOutcome {
  /** `cancelled`: the proxy or the client gave the attempt up. */
  readonly kind: FailureKind | 'response' | 'cancelled'
  /** 0 when there was no response. */
  readonly status: number
}

export interface Filter {
  /** Before routing. Returns a reply to end the exchange here. */
  request?(exchange: Exchange): Reply | undefined | Promise<Reply | undefined>
  /** Before each try at an upstream. */
  attempt?(exchange: Exchange): Reply | undefined
  /** Narrows the endpoints that may be chosen. */
  candidates?(exchange: Exchange, endpoints: readonly Endpoint[]): readonly Endpoint[]
  /** Chooses one of several. */
  choose?(exchange: Exchange, endpoints: readonly Endpoint[]): Endpoint | undefined
  /** After each try, when its response is whole or it failed. */
  attemptEnd?(exchange: Exchange, endpoint: Endpoint, outcome: AttemptOutcome): void
  /** Milliseconds until another try, or undefined for none. */
  retry?(exchange: Exchange, outcome: AttemptOutcome): number | undefined
  /** Before the head goes to the client. */
  response?(exchange: Exchange, head: ResponseHead): void
  /** When all is over. */
  end?(exchange: Exchange): void
  /** The chain is replaced: stop timers. */
  close?(): void
  /** Request bodies are kept (up to `limits.bufferBytes`) until the exchange is over. */
  readonly keepsBody?: boolean
  /** `Exchange.startedAtMs` is needed. */
  readonly needsTime?: boolean
}

export interface FilterContext {
  readonly registry: Registry
  readonly metrics: HopMetrics
  /** By name; for filters that send requests of their own. */
  readonly clusters: ReadonlyMap<string, Cluster>
  /** SPIFFE id of this proxy. */
  readonly identity: string | undefined
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
