/** Settings of the namespaces: cores, what the wire between the nodes does to packets, how large they are. */
import { z } from 'zod'
import { pinSettings } from '../local/settings.js'

export const netnsSettings = z.strictObject({
  pin: pinSettings,
  /** Added to each packet that leaves a node, so twice to a round trip. Needs netem. */
  delayMs: z.number().positive().max(10_000).optional(),
  /** Of the packets that leave a node. Needs netem. */
  lossPercent: z.number().positive().max(50).optional(),
  /** Of each node's way out. */
  rateMbit: z.number().positive().max(100_000).optional(),
  /** `off`: packets have the wire's size everywhere, as on a network of machines without offload. */
  segmentation: z.enum(['offloaded', 'off']).default('offloaded'),
})

export type NetnsSettings = z.infer<typeof netnsSettings>
