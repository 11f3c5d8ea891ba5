/** The tools of others by name. */
import { fortio } from './fortio.js'
import { h2load } from './h2load.js'
import { hey } from './hey.js'
import { nighthawk } from './nighthawk.js'
import { oha } from './oha.js'
import type { Tool } from './tool.js'
import { wrk } from './wrk.js'
import { wrk2 } from './wrk2.js'

export const tools = { wrk, wrk2, hey, h2load, fortio, oha, nighthawk } satisfies Record<string, Tool>

export type ToolName = keyof typeof tools
