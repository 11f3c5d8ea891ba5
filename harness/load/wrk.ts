/** A second opinion on capacity from a tool that many trust. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const wrk: Loader = {
  name: 'wrk',
  summary: 'wrk from the PATH, closed loop; its own histogram, without due times',
  models: ['closed'],
  protocols: ['http1'],
  lacks: ['response', 'sendLag', 'unsent'],
  needs: 'wrk',
  command: (spec, target, seed) => loadgenCommand('wrk', spec, target, seed),
  parse: parseEvent,
}
