/**
 * The nouns of Meshbench, as types only, so that every module speaks of the same things.
 *
 * Units are in the names: `Ms`, `Us`, `Ns`, `Bytes`, `PerSecond`. Times of day are ISO 8601 in UTC.
 */
export type * from './protocol/engines.js'
export type * from './protocol/spec.js'
export type * from './protocol/result.js'
export type * from './model/paths.js'
export type * from './model/downloads.js'
export type * from './model/config.js'
export type * from './model/plan.js'
export type * from './model/script.js'
export type * from './model/running/workloads.js'
export type * from './model/running/readings.js'
export type * from './model/running/faults.js'
export type * from './model/running/platform.js'
export type * from './model/running/mesh.js'
export type * from './model/journal.js'
export type * from './model/analysis.js'
export type * from './model/metrics.js'
