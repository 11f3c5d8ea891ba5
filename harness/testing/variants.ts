/** Variants of one arm of the reference mesh. */
import { resolveConfig, type ConfigOverrides } from '../config/resolve-config.js'
import type { Variant } from '../model.js'

/** A config with settings of the proxy. */
export const input = {
  arms: { reference: ['l7-per-node'] },
  experiments: { latency: {} },
  meshSettings: { reference: { proxy: { filters: { burn: { cpuUs: 5 }, health: {} } } } },
}
/** Resolves it with variants, and with `more` in the place of its keys. */
export const configOf = (overrides: ConfigOverrides, more: object = {}) =>
  resolveConfig({ ...input, ...more }, overrides)
/** A variant that is named, and as configured. */
export const unchanged = (name: string): Variant => ({
  name,
  source: 'as configured',
  settings: {},
  builds: {},
})
