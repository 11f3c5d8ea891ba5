/** The load tool of Istio’s own figures, so that ours can be set beside them. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const fortio: Loader = {
  name: 'fortio',
  summary: 'fortio from the PATH, rate per connection; histogram in steps of 100 µs',
  models: ['open', 'closed'],
  protocols: ['http1', 'h2'],
  lacks: ['response', 'sendLag', 'unsent'],
  needs: 'fortio',
  command: (spec, target, seed) => loadgenCommand('fortio', spec, target, seed),
  parse: parseEvent,
}
