/** A sender in a thread of its own, driven by messages. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Phase } from '../../../harness/protocol/events.js'
import { createSender } from './sender.js'
import { type Spec } from './spec.js'
import { Tally } from './tally.js'
import { wires } from './wires.js'

/** What a sender thread is started with. */
export interface SenderData {
  readonly role: 'sender'
  readonly spec: Spec
  readonly connections: number
  readonly ratePerSecond: number
  readonly connectionPerRequest: boolean
  readonly memory: SharedArrayBuffer
}

export interface PhaseMessage {
  readonly phase: Phase
  readonly startUs: number
  readonly dues: Float64Array
  readonly durationMs: number
}

export type SenderMessage =
  | { readonly type: 'connected' }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string }

export function runSenderWorker(): void {
  const data = workerData as SenderData
  const send = (message: SenderMessage): void => parentPort?.postMessage(message)
  const sender = createSender({
    spec: data.spec,
    connections: data.connections,
    ratePerSecond: data.ratePerSecond,
    tally: new Tally(data.memory),
    wire: wires[data.spec.protocol],
    connectionPerRequest: data.connectionPerRequest,
    onConnected: () => send({ type: 'connected' }),
    onFailed: (message) => send({ type: 'failed', message }),
  })
  parentPort?.on('message', (phase: PhaseMessage) => {
    void sender.run(phase).then(() => send({ type: 'done' }))
  })
}
