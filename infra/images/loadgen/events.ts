/** The generator's side of the event protocol: JSON lines out, `go` in. */
import { createInterface } from 'node:readline'
import { nowUs } from '../kit/process/precise-timer.js'
import type { GeneratorFault, LoadEvent, Phase } from '../../../harness/protocol/events.js'

/** Ends the program with an `error` event. */
export class EngineError extends Error {
  readonly kind: GeneratorFault
  constructor(kind: GeneratorFault, message: string) {
    super(message)
    this.name = 'EngineError'
    this.kind = kind
  }
}

const progressMs = 500

/** Tells how far a phase is until `running` settles, and settles with it. `startUs` is of the monotonic clock. */
export async function withProgress<T>(
  harness: Harness,
  phase: Phase,
  startUs: number,
  soFar: () => { readonly sent: number; readonly ok: number; readonly p99Us?: number },
  running: Promise<T>,
): Promise<T> {
  const timer = setInterval(() => {
    const elapsedMs = Math.max(0, Math.round((nowUs() - startUs) / 1000))
    harness.emit({ event: 'progress', phase, elapsedMs, ...soFar() })
  }, progressMs)
  return running.finally(() => {
    clearInterval(timer)
  })
}

export function createHarness() {
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
  const emit = (event: LoadEvent): void => {
    process.stdout.write(JSON.stringify(event) + '\n')
  }
  return {
    emit,
    /** Announces an edge and resolves when the harness has read its counters. Rejects when it has gone away. */
    edge(edge: 'start' | 'end'): Promise<void> {
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

export type Harness = ReturnType<typeof createHarness>
