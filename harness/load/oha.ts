/** A second opinion from a tool with latency correction. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const oha: Loader = {
  name: 'oha',
  summary: 'oha from the PATH, rate with latency correction, or closed loop; percentiles only',
  models: ['open', 'closed'],
  protocols: ['http1', 'h2'],
  lacks: ['service', 'sendLag', 'unsent'],
  needs: 'oha',
  command: (spec, target, seed) => loadgenCommand('oha', spec, target, seed),
  parse: parseEvent,
}
