/** Settings that every mesh from Helm charts has in the config's `meshSettings`. */
import { z } from 'zod'
import type { EnvironmentRequest } from '../../../harness/model.js'

export const chartSettings = z.strictObject({
  /** Registry or URL prefix → what to fetch from instead. */
  mirrors: z.record(z.string(), z.string().min(1)).default({}),
  /** Folder of what was pulled ahead; default: that of `meshbench pull`. */
  cacheDir: z.string().min(1).optional(),
})

/** A mesh's settings with their defaults; the config was checked when it was read. */
export function settingsFor<Schema extends z.ZodType>(
  schema: Schema,
  mesh: string,
  { config }: Pick<EnvironmentRequest, 'config'>,
): z.output<Schema> {
  return schema.parse(config.meshSettings[mesh] ?? {})
}
