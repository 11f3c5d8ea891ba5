/** What `bench.config.ts` imports: its types, and nothing that would be loaded for them. */
import type { z } from 'zod'
import type { configSchema } from './config/config-schema.js'

export type { ArmName } from './config/config-schema.js'

/** What `bench.config.ts` exports. Everything but `arms` has a default. */
export interface UserConfig extends Readonly<z.input<typeof configSchema>> {}

export type ThresholdConfig = NonNullable<UserConfig['thresholds']>[number]

/** Gives `bench.config.ts` its types; returns what it is given. */
export function defineConfig(config: UserConfig): UserConfig {
  return config
}
