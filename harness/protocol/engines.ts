/** The load engines by name: ours first, then the tools of others that the generator runs where they are on the PATH. */

/** What the client speaks. */
export const protocols = ['http1', 'h2', 'grpc', 'tcp'] as const
export type Protocol = (typeof protocols)[number]

/** `open`: requests are due on a schedule; `closed`: each connection sends as soon as it may. */
export const loadModels = ['open', 'closed'] as const

/** Figures that an engine may not know. */
export const engineLacks = ['response', 'service', 'sendLag', 'unsent'] as const
export type EngineLack = (typeof engineLacks)[number]

export interface EngineRates {
  /** The rate is dealt to the connections, and each of them sends its first request at once. */
  readonly perConnection?: boolean
  /** Whole requests a second alone. */
  readonly whole?: boolean
}

export interface Engine {
  /** One sentence for `meshbench list` and the report. */
  readonly summary: string
  readonly models: readonly (typeof loadModels)[number][]
  readonly protocols: readonly Protocol[]
  /** What it cannot tell; absent for engines that tell all there is. */
  readonly lacks?: readonly EngineLack[]
  /** How a rate is kept; absent: as a whole, whatever it is. */
  readonly rates?: EngineRates
  /** Step of its times in µs; absent: 1. */
  readonly stepUs?: number
  /** Program that has to be on the PATH where the client lives; absent for the generator's own engines. */
  readonly needs?: string
}

export const engines = {
  'open-loop': {
    summary: 'requests due on an absolute schedule, latency in µs from due and from sent, send lag, unsent',
    models: ['open'],
    protocols,
  },
  'closed-loop': {
    summary: 'autocannon without a rate: each connection sends when its last reply is in; service time in µs',
    models: ['closed'],
    protocols: ['http1'],
    lacks: ['response', 'sendLag'],
  },
  connect: {
    summary:
      'open loop with a new connection for each request; time to connect beside the whole, at most `connections` at once',
    models: ['open'],
    protocols,
  },
  stream: {
    summary: 'closed loop of large replies: bytes received in the window, for Gb/s and CPU per GiB',
    models: ['closed'],
    protocols,
    lacks: ['response', 'sendLag'],
  },
  wrk: {
    summary: 'wrk from the PATH, closed loop; its own histogram, without due times',
    models: ['closed'],
    protocols: ['http1'],
    lacks: ['response', 'sendLag', 'unsent'],
    needs: 'wrk',
  },
  wrk2: {
    summary: 'wrk2 from the PATH, constant rate, charged from due; 1 ms coarse',
    models: ['open'],
    protocols: ['http1'],
    lacks: ['service', 'sendLag', 'unsent'],
    stepUs: 1000,
    needs: 'wrk2',
  },
  hey: {
    summary: 'hey from the PATH, closed loop or a rate per connection; times in steps of 100 µs',
    models: ['closed', 'open'],
    protocols: ['http1'],
    lacks: ['response', 'sendLag', 'unsent'],
    rates: { perConnection: true },
    stepUs: 100,
    needs: 'hey',
  },
  h2load: {
    summary: 'h2load from the PATH, closed loop or a rate per connection; every time in µs',
    models: ['closed', 'open'],
    protocols: ['http1', 'h2'],
    lacks: ['response', 'sendLag', 'unsent'],
    rates: { perConnection: true },
    needs: 'h2load',
  },
  fortio: {
    summary: 'fortio from the PATH, rate per connection; histogram in steps of 100 µs',
    models: ['open', 'closed'],
    protocols: ['http1', 'h2'],
    lacks: ['response', 'sendLag', 'unsent'],
    rates: { perConnection: true },
    stepUs: 100,
    needs: 'fortio',
  },
  oha: {
    summary: 'oha from the PATH, rate with latency correction, or closed loop; percentiles only',
    models: ['open', 'closed'],
    protocols: ['http1', 'h2'],
    lacks: ['service', 'sendLag', 'unsent'],
    needs: 'oha',
  },
  ab: {
    summary: 'ab from the PATH, closed loop over HTTP/1.0; one hundred percentiles in µs',
    models: ['closed'],
    protocols: ['http1'],
    lacks: ['response', 'sendLag', 'unsent'],
    needs: 'ab',
  },
  vegeta: {
    summary:
      'vegeta from the PATH, constant rate, charged from when a worker takes a request up; every time in ns',
    models: ['open', 'closed'],
    protocols: ['http1'],
    lacks: ['service', 'sendLag', 'unsent'],
    needs: 'vegeta',
  },
  k6: {
    summary:
      'k6 from the PATH, constant arrival rate that drops what finds no connection free; percentiles only',
    models: ['open', 'closed'],
    protocols: ['http1'],
    lacks: ['response', 'sendLag'],
    needs: 'k6',
  },
  bombardier: {
    summary: 'bombardier from the PATH, closed loop or a rate that all connections share; five percentiles',
    models: ['closed', 'open'],
    protocols: ['http1'],
    lacks: ['response', 'sendLag', 'unsent'],
    rates: { whole: true },
    needs: 'bombardier',
  },
  plow: {
    summary: 'plow from the PATH, closed loop or a rate that all connections share; seven percentiles',
    models: ['closed', 'open'],
    protocols: ['http1'],
    lacks: ['response', 'sendLag', 'unsent'],
    needs: 'plow',
  },
  nighthawk: {
    summary: 'nighthawk_client from the PATH, a rate with back-pressure; its percentile spectrum',
    models: ['closed', 'open'],
    protocols: ['http1', 'h2'],
    lacks: ['response', 'sendLag', 'unsent'],
    needs: 'nighthawk_client',
  },
} as const satisfies Record<string, Engine>

export type EngineName = keyof typeof engines
export const engineNames = Object.keys(engines) as EngineName[]

/** What is said of an engine, whatever its name. */
export const engineOf = (name: EngineName): Engine => engines[name]
