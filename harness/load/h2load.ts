/** A second opinion on HTTP/2 from the authors of nghttp2. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const h2load: Loader = {
  name: 'h2load',
  summary: 'h2load from the PATH, closed loop or a rate per connection; every time in µs',
  models: ['closed', 'open'],
  protocols: ['http1', 'h2'],
  lacks: ['response', 'sendLag', 'unsent'],
  needs: 'h2load',
  command: (spec, target, seed) => loadgenCommand('h2load', spec, target, seed),
  parse: parseEvent,
}
