/** What an experiment is: a question, the loads that answer it, and the figures it is judged by. */
import type { z } from 'zod'
import type { KneeSearch, LoadSpec, ReadMetric } from '../../harness/model.js'

/** A load, and the label under which arms are compared. */
export interface LabelledLoad {
  readonly label: string
  readonly load: LoadSpec
  /** Search the knee: the load has no rate then, and each trial gets one of its own. */
  readonly search?: KneeSearch
}

/** `Settings` is what the experiment takes in the config, after defaults. */
export interface Experiment<Settings = unknown> {
  readonly name: string
  /** The question, as a person would ask it. */
  readonly question: string
  readonly settings: z.ZodType<Settings>
  /** Every load that every arm is put under. */
  loads(settings: Settings): readonly LabelledLoad[]
  /** Most rounds that it takes part in; absent: as many as the run has. */
  rounds?(settings: Settings): number
  /** What arms are compared by: those of scenarios/metrics.ts, and the experiment's own. */
  readonly metrics: readonly ReadMetric[]
}

/** `1000/s c16 1024B http1`: what a load is, in one line. */
export function loadLabel(load: LoadSpec): string {
  const pace = load.model === 'open' ? `${load.ratePerSecond ?? 0}/s` : 'max'
  return `${pace} c${load.connections} ${load.payloadBytes}B ${load.protocol}`
}
