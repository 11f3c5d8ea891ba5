/** A second opinion from a tool that many have at hand. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const hey: Loader = {
  name: 'hey',
  summary: 'hey from the PATH, closed loop or a rate per connection; times in steps of 100 µs',
  models: ['closed', 'open'],
  protocols: ['http1'],
  lacks: ['response', 'sendLag', 'unsent'],
  needs: 'hey',
  command: (spec, target, seed) => loadgenCommand('hey', spec, target, seed),
  parse: parseEvent,
}
