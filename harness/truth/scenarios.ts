/** What the server does to a tool, and what the tool is asked for meanwhile. */

/** Faults of infra/images/bench/truth/server.c by their names there. */
export type Faults = Readonly<
  Partial<
    Record<
      | 'delayUs'
      | 'slowEvery'
      | 'slowUs'
      | 'freezeAfter'
      | 'freezeUs'
      | 'serialUs'
      | 'closeEvery'
      | 'errorEvery'
      | 'resetEvery'
      | 'status'
      | 'chunked'
      | 'ipv6'
      | 'hold',
      number
    >
  >
>

export interface Scenario {
  readonly title: string
  readonly faults: Faults
  /** Of tools that can be asked for one; the others send as soon as they may. */
  readonly ratePerSecond: number
  readonly connections: number
  /** Of tools that cannot be asked for a rate; absent: the same. Fewer keep them from measuring their own queue. */
  readonly closedConnections?: number
  readonly seconds: number
  readonly repeats: number
  /** Times are read: our engines warm up first, as they do in every run. */
  readonly warmed?: boolean
  /** Its replies have no body. */
  readonly bodyless?: boolean
  /** Every request on a connection of its own. */
  readonly fresh?: boolean
}

/** What a quick run gives its engines; harness/config/profiles.test.ts holds it to that. */
export const warmupMs = 200

const usual = { ratePerSecond: 500, connections: 8, closedConnections: 1, seconds: 1, repeats: 1 } as const
/** A rise is small beside what a host does meanwhile: of three repeats its error would be a guess. */
const delayed = (title: string, delayUs: number): Scenario => ({
  ...usual,
  repeats: 5,
  warmed: true,
  title,
  faults: { delayUs },
})
/** Nothing but an answer that is not quite the usual one; a delay keeps tools without a rate from saturating it. */
const answering = (title: string, faults: Faults): Scenario => ({
  ...usual,
  title,
  faults: { delayUs: 1000, ...faults },
})

export const scenarios = {
  plain: delayed('no fault', 0),
  'delay-200us': delayed('every reply 0.2 ms later', 200),
  'delay-1ms': delayed('every reply 1 ms later', 1000),
  'delay-5ms': delayed('every reply 5 ms later', 5000),
  slow: {
    ...{ ...usual, title: 'every 1 000th reply 50 ms later', ratePerSecond: 1000, seconds: 2 },
    warmed: true,
    faults: { delayUs: 200, slowEvery: 1000, slowUs: 50_000 },
  },
  freeze: {
    ...{ ...usual, title: 'a server that stands still for 100 ms', ratePerSecond: 1000, repeats: 3 },
    // Few, so that a tool that charges only what it has sent cannot fill the slowest hundredth by it.
    ...{ connections: 4, closedConnections: 4, warmed: true },
    faults: { delayUs: 200, freezeAfter: 300, freezeUs: 100_000 },
  },
  saturated: {
    ...{ ...usual, title: 'a server that serves 500 a second, asked for 1 000', ratePerSecond: 1000 },
    ...{ connections: 16, closedConnections: 16, seconds: 2, repeats: 3 },
    faults: { serialUs: 2000 },
  },
  connect: {
    ...{
      ...usual,
      title: 'a first connection that takes 1 s',
      ratePerSecond: 10,
      connections: 1,
      seconds: 2,
    },
    faults: { delayUs: 1000, hold: 1 },
  },
  close: answering('`Connection: close` on every 100th reply', { closeEvery: 100 }),
  'status-204': { ...answering('204 without a body', { status: 204 }), bodyless: true },
  'status-304': { ...answering('304 without a body', { status: 304 }), bodyless: true },
  chunked: answering('chunks and a trailer', { chunked: 1 }),
  errors: answering('every 20th reply is 503', { errorEvery: 20 }),
  reset: answering('every 20th reply is reset in mid-body', { resetEvery: 20 }),
  ipv6: answering('the server at [::1]', { ipv6: 1 }),
  fresh: { ...answering('a connection for each request', {}), fresh: true },
} as const satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof scenarios
export const scenarioNames = Object.keys(scenarios) as ScenarioName[]
