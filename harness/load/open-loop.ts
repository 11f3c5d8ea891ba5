/** The engine for latency: requests are due on a schedule, and late ones are charged from when they were due. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const openLoop: Loader = {
  name: 'open-loop',
  summary: 'requests due on an absolute schedule, latency in µs from due and from sent, send lag, unsent',
  models: ['open'],
  protocols: ['http1', 'h2', 'grpc', 'tcp'],
  command: (spec, target, seed) => loadgenCommand('open-loop', spec, target, seed),
  parse: parseEvent,
}
