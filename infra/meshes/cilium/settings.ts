/** What the config's `meshSettings` may hold of Cilium. */
import { z } from 'zod'
import { chartSettings } from '../clusters/settings.js'

export const ciliumSettings = chartSettings(['cilium']).extend({
  /** Flow visibility; on, as by Cilium's own default. Measure with and without: it costs CPU. */
  hubble: z.boolean().default(true),
})

export type CiliumSettings = z.output<typeof ciliumSettings>
