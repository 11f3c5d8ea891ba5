/** The engine for capacity: every connection sends as soon as it may, as fast as the path answers. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const closedLoop: Loader = {
  name: 'closed-loop',
  summary: 'autocannon without a rate: each connection sends when its last reply is in; service time in µs',
  models: ['closed'],
  protocols: ['http1'],
  lacks: ['response', 'sendLag'],
  command: (spec, target, seed) => loadgenCommand('closed-loop', spec, target, seed),
  parse: parseEvent,
}
