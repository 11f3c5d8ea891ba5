/** The engine for moving bytes: long transfers, one after the other on each connection. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const stream: Loader = {
  name: 'stream',
  summary: 'closed loop of large replies: bytes received in the window, for Gb/s and CPU per GiB',
  models: ['closed'],
  protocols: ['http1', 'h2', 'grpc', 'tcp'],
  lacks: ['response', 'sendLag'],
  command: (spec, target, seed) => loadgenCommand('stream', spec, target, seed),
  parse: parseEvent,
}

/** Throughput of a window in Gb/s (10⁹ bits). */
export function gigabitsPerSecond(bodyBytes: number, windowMs: number): number {
  return windowMs > 0 ? (bodyBytes * 8) / 1e6 / windowMs : 0
}

/** CPU seconds for each GiB (2³⁰ bytes) of payload; undefined when nothing was moved. */
export function cpuSecondsPerGib(cpuNs: number, bodyBytes: number): number | undefined {
  return bodyBytes > 0 ? (cpuNs / 1e9 / bodyBytes) * 2 ** 30 : undefined
}
