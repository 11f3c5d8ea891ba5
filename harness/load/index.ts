/** The load engines by name: ours first, then the tools of others that are run when they are on the PATH. */
import { closedLoop } from './closed-loop.js'
import { connect } from './connect.js'
import { fortio } from './fortio.js'
import { h2load } from './h2load.js'
import { hey } from './hey.js'
import type { Loader } from './loader.js'
import { nighthawk } from './nighthawk.js'
import { oha } from './oha.js'
import { openLoop } from './open-loop.js'
import { stream } from './stream.js'
import { wrk } from './wrk.js'
import { wrk2 } from './wrk2.js'

export type { Loader, LoadTarget } from './loader.js'
export type { LoadEvent } from '../protocol/events.js'

export const loaders = {
  'open-loop': openLoop,
  'closed-loop': closedLoop,
  connect,
  stream,
  wrk,
  wrk2,
  hey,
  h2load,
  fortio,
  oha,
  nighthawk,
} satisfies Record<string, Loader>

export type LoaderName = keyof typeof loaders
