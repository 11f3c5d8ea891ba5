/** A second opinion from Envoy's own load generator. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const nighthawk: Loader = {
  name: 'nighthawk',
  summary: 'nighthawk_client from the PATH, a rate with back-pressure; its percentile spectrum',
  models: ['closed', 'open'],
  protocols: ['http1', 'h2'],
  lacks: ['response', 'sendLag', 'unsent'],
  needs: 'nighthawk_client',
  command: (spec, target, seed) => loadgenCommand('nighthawk', spec, target, seed),
  parse: parseEvent,
}
