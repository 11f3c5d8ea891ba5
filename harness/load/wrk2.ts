/** A second opinion on open-loop latency from the tool that made coordinated omission known. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const wrk2: Loader = {
  name: 'wrk2',
  summary: 'wrk2 from the PATH, constant rate, charged from due; 1 ms coarse',
  models: ['open'],
  protocols: ['http1'],
  lacks: ['service', 'sendLag', 'unsent'],
  needs: 'wrk2',
  command: (spec, target, seed) => loadgenCommand('wrk2', spec, target, seed),
  parse: parseEvent,
}
