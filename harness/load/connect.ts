/** The engine for connection set-up: every request opens a connection of its own, and the two are timed apart. */
import { parseEvent } from './events.js'
import { type Loader, loadgenCommand } from './loader.js'

export const connect: Loader = {
  name: 'connect',
  summary:
    'open loop with a new connection for each request; time to connect beside the whole, at most `connections` at once',
  models: ['open'],
  protocols: ['http1', 'h2', 'grpc', 'tcp'],
  command: (spec, target, seed) => loadgenCommand('connect', spec, target, seed),
  parse: parseEvent,
}
