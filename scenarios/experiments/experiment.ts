/** What an experiment says of itself: its question, what it does to an arm, and how its answer is shown and judged. */
import type { z } from 'zod'
import { defined } from '../../harness/model/defined.js'
import type {
  Change,
  ClaimId,
  Hop,
  LabelledLoad,
  LoadSpec,
  Path,
  ReadMetric,
  Script,
} from '../../harness/model.js'

/** A chart of one metric, every arm with its interval: under each of the experiment's loads, or of its loads beside each other. */
export interface MetricChart {
  /** Unique among charts; kebab-case. */
  readonly name: string
  /** What is shown. No finding: a title states only what its intervals exclude. */
  readonly title: string
  /** How it was measured. */
  readonly caption: string
  readonly metric: ReadMetric
  readonly percentile?: number
  /** Loads beside each other: how their labels begin → what they are called here; others are left out. */
  readonly across?: Readonly<Record<string, string>>
  /** Of loads beside each other: what is drawn as a bar behind the interval, from zero. */
  readonly behind?: ReadMetric
  /** Loads as the steps of a line: of so many of something each. */
  readonly steps?: {
    /** Of what: one, and several. */
    readonly of: readonly [string, string]
    /** What loads that are drawn have in their label; absent: all are. */
    readonly labelled?: string
    /** Knees are drawn, of loads whose rate is searched; absent: all others, since a searched load has no rate of its own. */
    readonly searched?: true
  }
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
  /** Trials of all its loads are shuffled together in each round, since its loads are compared with each other. */
  readonly comparesLoads?: true
  /** Whether it can be put to a path; absent: to every one. */
  carries?(path: Path): boolean
  /** What arms are compared by, each with its verdict: those of scenarios/metrics.ts, and the experiment's own. */
  readonly metrics: readonly ReadMetric[]
  /** Charts of its own, beside those that the report has for common metrics. */
  readonly charts?: readonly MetricChart[]
  /** Claims that it has data on; their rules are in harness/analyze/claims. */
  readonly claims?: readonly ClaimId[]
}

/** Where only some hops are sidecars, workloads share the others: such a path is neither kind. */
export function sidecarsOrNone({ hops }: Path): boolean {
  const sidecars = hops.filter(({ role }) => role.startsWith('sidecar')).length
  return hops.length > 0 && (sidecars === 0 || sidecars === hops.length)
}

/** `1000/s c16 1024B http1`: what a load is, in one line. */
export function loadLabel(load: LoadSpec): string {
  const pace = load.model === 'open' ? `${load.ratePerSecond ?? 0}/s` : 'max'
  return `${pace} c${load.connections} ${requestLabel(load)}`
}

/** `1024B http1`, `mix of 3 http1`: what is asked for, in a label. */
export const requestLabel = ({
  mix,
  payloadBytes,
  protocol,
}: Pick<LoadSpec, 'mix' | 'payloadBytes' | 'protocol'>) =>
  `${mix ? `mix of ${mix.length}` : `${payloadBytes}B`} ${protocol}`

/** A load of settings that an open loop has. */
export const openLoop = <Settings extends Pick<LoadSpec, 'mix' | 'payloadBytes'>>(settings: Settings) => ({
  engine: 'open-loop' as const,
  model: 'open' as const,
  ...settings,
  payloadBytes: meanPayload(settings),
})

function meanPayload({ mix, payloadBytes }: Pick<LoadSpec, 'mix' | 'payloadBytes'>): number {
  if (!mix) return payloadBytes
  const all = mix.reduce((sum, { share }) => sum + share, 0)
  return Math.round(mix.reduce((sum, kind) => sum + (kind.share / all) * kind.payloadBytes, 0))
}

/** A load under a label that begins with what is special about it: claims tell loads of an experiment apart by that. */
export const called = <Load extends LoadSpec>(what: string, load: Load) => ({
  label: `${what}, ${loadLabel(load)}`,
  load,
})

/** What is done to a hop, or to a spare copy of it that carries nothing; nothing where the path has no such hop. */
export function actsOn(
  hop: Hop | undefined,
  of: 'spare' | undefined,
  acts: readonly (readonly [
    atMs: number,
    act: Change['do'] & ('start' | 'stop' | 'kill' | 'pause' | 'resume'),
  ])[],
): Script {
  if (!hop) return []
  const target = { hop: hop.name, ...defined({ of }) }
  return acts.map(([atMs, act]) => ({ atMs, target, change: { do: act } }))
}
