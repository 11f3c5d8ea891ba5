/** Senders in a thread of their own, one for each workload, driven by messages. */
import { parentPort, workerData } from 'node:worker_threads'
import { Sender, type SenderPhase } from './sender.js'
import { shareOf } from './schedule.js'
import { type Spec } from './spec.js'
import { Tally } from './tally.js'
import { wires } from './wires/index.js'

export interface SenderData {
  readonly spec: Spec
  /** Of this thread. */
  readonly ratePerSecond: number
  readonly connectionPerRequest: boolean
  readonly workloads: readonly {
    readonly target: Spec['target']
    readonly connections: number
    readonly memory: SharedArrayBuffer
  }[]
}

export type SenderMessage =
  | { readonly type: 'connected' }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string }

export function runSenderWorker(): void {
  const data = workerData as SenderData
  const send = (message: SenderMessage): void => parentPort?.postMessage(message)
  const count = data.workloads.length
  let unconnected = count
  const senders = data.workloads.map(
    ({ target, connections, memory }) =>
      new Sender({
        spec: { ...data.spec, target },
        connections,
        ratePerSecond: data.ratePerSecond / count,
        tally: new Tally(memory),
        wire: wires[data.spec.protocol],
        connectionPerRequest: data.connectionPerRequest,
        onConnected: () => void (--unconnected === 0 && send({ type: 'connected' })),
        onFailed: (message) => send({ type: 'failed', message }),
      }),
  )
  parentPort?.on('message', (phase: SenderPhase) => {
    const parts = senders.map((sender, index) =>
      sender.run({ ...phase, dues: shareOf(phase.dues, index, count) }),
    )
    void Promise.all(parts).then(() => send({ type: 'done' }))
  })
}
