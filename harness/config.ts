/** What `bench.config.ts` imports: its types, and nothing that would be loaded for them. */
import type { z } from 'zod'
import type { LoaderName } from './load/index.js'
import type { GatePolicy, ResolvedConfig, Threshold } from './model.js'
import type { ProfileName } from './config/profiles.js'
import type { MeshName } from '../infra/meshes/index.js'
import type { PlatformName } from '../infra/platforms/index.js'
import type { experiments, ExperimentName } from '../scenarios/experiments/index.js'
import type { PathName } from '../scenarios/paths/index.js'

/** `mesh/path`, for example `reference/l4-only`. */
export type ArmName = `${MeshName}/${PathName}`

/** What `bench.config.ts` exports. Everything but `arms` has a default. */
export interface UserConfig {
  /** Seed of the order of trials, of Poisson arrivals and of the bootstrap. Default: 1. */
  readonly seed?: number
  /** Default: `quick`. */
  readonly profile?: ProfileName
  /** Default: `local`. */
  readonly platform?: PlatformName
  /** Which paths to measure on which mesh; the baseline and its twin are always measured. */
  readonly arms: Partial<Record<MeshName, readonly PathName[]>>
  /** Which experiments to run, with their settings. Default: `latency` and `capacity` as they come. */
  readonly experiments?: {
    readonly [Name in ExperimentName]?: z.input<(typeof experiments)[Name]['settings']>
  }
  /** Another load engine than an experiment’s own, for example `{ saturation: 'wrk' }`; see `meshbench list`. */
  readonly engines?: { readonly [Name in ExperimentName]?: LoaderName }
  readonly rounds?: Partial<ResolvedConfig['rounds']>
  /** Conditions that decide the exit code. */
  readonly thresholds?: readonly ThresholdConfig[]
  /** How `meshbench gate` judges variants. Default: CPU by 5 %, p50, memory and throughput by 10 %; inconclusive passes. */
  readonly gate?: Partial<GatePolicy>
  /** Prices for the cost line. Default: 0.04 USD per vCPU-hour, 0.005 USD per GiB-hour. */
  readonly cost?: Partial<ResolvedConfig['cost']>
  /** A mesh's own settings, for example `{ reference: { tunnel: { pool: { maxStreamsPerConnection: 10 } } } }`. */
  readonly meshSettings?: { readonly [Name in MeshName]?: Readonly<Record<string, unknown>> }
  /** A platform's own settings, for example `{ docker: { baseImage: '…@sha256:…' } }`. */
  readonly platformSettings?: { readonly [Name in PlatformName]?: Readonly<Record<string, unknown>> }
  readonly validity?: Partial<ResolvedConfig['validity']>
  /** Folder that runs are written to. Default: `results`. */
  readonly outDir?: string
}

/** An arm as it is configured, or as one of the run's variants has it. */
type MeasuredArm = ArmName | `${ArmName}@${string}`

export interface ThresholdConfig extends Omit<Threshold, 'arm' | 'relativeTo' | 'experiment'> {
  readonly arm: MeasuredArm
  readonly relativeTo?: MeasuredArm | 'none/baseline'
  readonly experiment?: ExperimentName
}

/** Gives `bench.config.ts` its types; returns what it is given. */
export function defineConfig(config: UserConfig): UserConfig {
  return config
}
