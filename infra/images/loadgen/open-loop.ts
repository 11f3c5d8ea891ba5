/** The open-loop engine: senders in threads of their own keep the schedule; this thread talks, merges and counts. */
import { Worker } from 'node:worker_threads'
import { nowUs } from '../kit/process/precise-timer.js'
import { encodeCounts } from '../../../harness/protocol/histogram.js'
import type { LoadResult } from '../../../harness/protocol/result.js'
import type { Phase } from '../../../harness/protocol/events.js'
import { EngineError, type Harness, withProgress } from './events.js'
import { stopCompiling } from './runtime.js'
import { dueTimes, shareOf } from './schedule.js'
import type { SenderPhase } from './sender.js'
import type { SenderData, SenderMessage } from './sender-worker.js'
import type { Spec } from './spec.js'
import { type HistogramName, Tally, errorsOf, mergeCounts, soFar, sumOf, tallyMemory } from './tally.js'

/** Time for the first due instant to reach all senders before it comes. */
const leadInUs = 20_000

/** `open-loop` keeps its connections; `connect` opens one for every request and times that, too. */
export async function runOpenLoop(
  engine: 'open-loop' | 'connect',
  spec: Spec,
  harness: Harness,
): Promise<void> {
  const senders = startSenders(engine, spec)
  await Promise.all(senders.threads.map((thread) => thread.next('connected')))
  harness.emit({ event: 'connected', connections: engine === 'connect' ? 0 : spec.connections })

  if (spec.warmupMs > 0)
    await runPhase(senders, harness, 'warmup', {
      ...spec,
      durationMs: spec.warmupMs,
      seed: spec.seed ^ 0x5f3759df,
    })
  const warmupSent = spec.warmupMs > 0 ? sumOf(senders.tallies, 'sent') : 0
  if (spec.warmupMs > 0) stopCompiling()
  await harness.edge('start')
  const cpu = process.cpuUsage()
  const firstDueUs = await runPhase(senders, harness, 'window', spec)
  const { user, system } = process.cpuUsage(cpu)
  await harness.edge('end')
  const result = { engine, warmupSent, generatorCpuUs: user + system }
  harness.emit({ event: 'result', result: { ...result, ...readTallies(senders, spec, firstDueUs) } })
}

function startSenders(engine: 'open-loop' | 'connect', spec: Spec) {
  const { ratePerSecond, workloads } = spec
  if (ratePerSecond === undefined) throw new EngineError('spec', `${engine} needs ratePerSecond`)
  if (workloads > 1 && (spec.workers > 1 || spec.connections < workloads))
    throw new EngineError('spec', `${workloads} workloads take a connection each at least, and one worker`)
  const workers = Math.min(spec.workers, spec.connections)
  const targets = [spec.target, ...spec.furtherTargets.map((place) => ({ ...spec.target, ...place }))]
  /** One for each workload of each thread. */
  const tallies = Array.from({ length: workers * workloads }, () => new Tally(tallyMemory(slicesOf(spec))))
  const connectionPerRequest = engine === 'connect'
  const threads = Array.from({ length: workers }, (_, thread) =>
    startSender({
      spec,
      ratePerSecond: ratePerSecond / workers,
      connectionPerRequest,
      workloads: tallies.slice(thread * workloads, (thread + 1) * workloads).map(({ memory }, index) => ({
        target: targets[index % targets.length] as Spec['target'],
        connections: Math.floor((spec.connections + thread + index) / (workers * workloads)),
        memory,
      })),
    }),
  )
  return { ratePerSecond, threads, tallies, connectionPerRequest }
}

type Senders = ReturnType<typeof startSenders>

const slicesOf = ({ sliceMs, durationMs }: Spec): number =>
  sliceMs === undefined ? 0 : Math.ceil(durationMs / sliceMs)

/** Resolves with the first due instant, in µs of the monotonic clock, when everything sent is answered. */
async function runPhase(
  { ratePerSecond, threads, tallies }: Senders,
  harness: Harness,
  phase: Phase,
  { durationMs, arrival, seed }: Pick<Spec, 'durationMs' | 'arrival' | 'seed'>,
): Promise<number> {
  const dues = dueTimes({ ratePerSecond, durationMs, arrival, seed })
  const startUs = nowUs() + leadInUs
  const done = threads.map((thread, index) => {
    const part: SenderPhase = { startUs, dues: shareOf(dues, index, threads.length), durationMs }
    thread.worker.postMessage(part)
    return thread.next('done')
  })
  await withProgress(harness, phase, startUs, () => soFar(tallies, 'response'), Promise.all(done))
  return startUs + (dues[0] as number)
}

function readTallies(
  { threads, tallies, connectionPerRequest }: Senders,
  { durationMs, sliceMs }: Spec,
  firstDueUs: number,
): Omit<LoadResult, 'engine' | 'warmupSent' | 'generatorCpuUs'> {
  const untilMs = (name: 'lastSentUs' | 'lastReplyUs') =>
    (Math.max(firstDueUs, ...tallies.map((tally) => tally.get(name))) - firstDueUs) / 1000
  const histogram = (name: HistogramName) => encodeCounts(mergeCounts(tallies, name))
  const ok = sumOf(tallies, 'ok')
  return {
    sent: sumOf(tallies, 'sent'),
    ok,
    errors: errorsOf(tallies),
    unsent: sumOf(tallies, 'unsent'),
    windowMs: untilMs('lastReplyUs'),
    // Sending alone: how long the path takes for the last replies is its latency, no missing rate. The last due instant
    // lies one interval before the end, so that this is at least as long as was asked.
    achievedRatePerSecond: (ok / Math.max(untilMs('lastSentUs'), durationMs)) * 1000,
    connectionsOpened: sumOf(tallies, 'connectionsOpened'),
    bodyBytes: sumOf(tallies, 'bodyBytes'),
    response: histogram('response'),
    service: histogram('service'),
    sendLag: histogram('sendLag'),
    ...(connectionPerRequest ? { connect: histogram('connect'), firstByte: histogram('firstByte') } : {}),
    ...(sliceMs === undefined || threads.length > 1
      ? {}
      : { slices: { ms: sliceMs, workloads: tallies.map((tally) => tally.readSlices()) } }),
  }
}

function startSender(data: SenderData) {
  // The same file: main.ts sees that it is a sender's thread.
  const worker = new Worker(new URL(import.meta.url), { workerData: data })
  const waiting = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()
  const seen = new Set<string>()
  let failure: Error | undefined
  const fail = (error: Error): void => {
    failure ??= error
    for (const { reject } of waiting.values()) reject(failure)
    waiting.clear()
  }
  worker.on('message', (message: SenderMessage) => {
    if (message.type === 'failed') {
      fail(new EngineError('connect', message.message))
      return
    }
    const waiter = waiting.get(message.type)
    waiting.delete(message.type)
    if (waiter) waiter.resolve()
    else seen.add(message.type)
  })
  worker.on('error', (error) =>
    fail(new EngineError('internal', `a sender crashed: ${error.stack ?? error.message}`)),
  )
  worker.on('exit', (code) => fail(new EngineError('internal', `a sender ended with code ${code}`)))
  return {
    worker,
    /** Resolves with the next message of this type. */
    next: (type: 'connected' | 'done') =>
      new Promise<void>((resolve, reject) => {
        if (failure) reject(failure)
        else if (seen.delete(type)) resolve()
        else waiting.set(type, { resolve, reject })
      }),
  }
}
