/** The tools of others by name. */
import { ab } from './ab.js'
import { bombardier } from './bombardier.js'
import { fortio } from './fortio.js'
import { h2load } from './h2load.js'
import { hey } from './hey.js'
import { k6 } from './k6.js'
import { nighthawk } from './nighthawk.js'
import { oha } from './oha.js'
import { plow } from './plow.js'
import type { Tool } from './tool.js'
import { vegeta } from './vegeta.js'
import { wrk } from './wrk.js'
import { wrk2 } from './wrk2.js'

export const tools = {
  ...{ wrk, wrk2, ab, hey, h2load, fortio, oha, vegeta, k6, bombardier, plow, nighthawk },
} satisfies Record<string, Tool>

export type ToolName = keyof typeof tools
