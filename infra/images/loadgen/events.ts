/** The generator's side of the event protocol: JSON lines out, `go` in. */
import { createInterface } from 'node:readline'

/** The error kinds of the harness's LoadResult. */
export const errorKinds = ['connect', 'timeout', 'reset', '4xx', '5xx', 'mismatch', 'other'] as const
export type ErrorKind = (typeof errorKinds)[number]

/** As the harness's model has it. */
export interface EncodedHistogram {
  readonly unit: 'us'
  readonly encoding: 'hdr-v2-deflate-base64'
  readonly data: string
  readonly count: number
}

/** The harness's LoadResult. */
export interface Result {
  readonly engine: string
  readonly sent: number
  readonly ok: number
  readonly errors: Readonly<Partial<Record<ErrorKind, number>>>
  readonly unsent: number
  readonly windowMs: number
  readonly achievedRatePerSecond: number
  readonly connectionsOpened: number
  readonly warmupSent: number
  readonly uncounted?: number
  readonly bodyBytes: number
  readonly response?: EncodedHistogram
  readonly service?: EncodedHistogram
  readonly sendLag?: EncodedHistogram
  readonly generatorCpuUs: number
  readonly connect?: EncodedHistogram
  readonly firstByte?: EncodedHistogram
  readonly unknown?: readonly ('response' | 'service' | 'sendLag' | 'unsent')[]
  readonly limits?: readonly string[]
}

export type Phase = 'warmup' | 'window'

export type Event =
  | { readonly event: 'connected'; readonly connections: number }
  | {
      readonly event: 'progress'
      readonly phase: Phase
      readonly elapsedMs: number
      readonly sent: number
      readonly ok: number
      readonly p99Us?: number
    }
  | { readonly event: 'edge'; readonly edge: 'start' | 'end' }
  | { readonly event: 'result'; readonly result: Result }
  | { readonly event: 'error'; readonly kind: string; readonly message: string }

/** Ends the program with an `error` event. */
export class EngineError extends Error {
  readonly kind: string
  constructor(kind: string, message: string) {
    super(message)
    this.name = 'EngineError'
    this.kind = kind
  }
}

/** Speaks with the harness. */
export interface Harness {
  emit(event: Event): void
  /** Announces an edge and resolves when the harness has read its counters. Rejects when it has gone away. */
  edge(edge: 'start' | 'end'): Promise<void>
}

export function createHarness(): Harness {
  const lines = createInterface({ input: process.stdin })
  let waiting: { resolve(): void; reject(error: Error): void } | undefined
  let gone = false
  lines.on('line', (line) => {
    if (line.trim() !== 'go') return
    waiting?.resolve()
    waiting = undefined
  })
  lines.on('close', () => {
    gone = true
    waiting?.reject(new EngineError('protocol', 'standard input was closed instead of saying go'))
  })
  const emit = (event: Event): void => {
    process.stdout.write(JSON.stringify(event) + '\n')
  }
  return {
    emit,
    edge(edge) {
      return new Promise<void>((resolve, reject) => {
        if (gone) {
          reject(new EngineError('protocol', 'standard input was closed before the edge'))
          return
        }
        waiting = { resolve, reject }
        emit({ event: 'edge', edge })
      })
    },
  }
}
