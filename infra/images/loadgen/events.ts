/** The generator's side of the event protocol: JSON lines out, `go` in. */
import { createInterface } from 'node:readline'
import type { GeneratorFault, LoadEvent } from '../../../harness/protocol/events.js'

/** Ends the program with an `error` event. */
export class EngineError extends Error {
  readonly kind: GeneratorFault
  constructor(kind: GeneratorFault, message: string) {
    super(message)
    this.name = 'EngineError'
    this.kind = kind
  }
}

export interface Harness {
  emit(event: LoadEvent): void
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
  const emit = (event: LoadEvent): void => {
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
