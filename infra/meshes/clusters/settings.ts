/** Settings that every mesh from Helm charts has in the config's `meshSettings`. */
import { z } from 'zod'
import type { EnvironmentRequest } from '../../../harness/model.js'
import { secretsIn } from '../../../harness/model/secrets.js'

/** An object of values, a YAML file of one, or several in the order in which helm would take them. */
const layer = z.union([z.string().min(1), z.record(z.string(), z.unknown())])

const fromCharts = {
  /** Registry or URL prefix → what to fetch from instead. */
  mirrors: z.record(z.string(), z.string().min(1)).default({}),
  /** Folder of what was pulled ahead; default: that of `meshbench pull`. */
  cacheDir: z.string().min(1).optional(),
  /** Files of Secrets that images are pulled with; they are put into every namespace of the mesh, before its charts. */
  pullSecrets: z.array(z.string().min(1)).default([]),
  /** Files that are applied after the charts, in this order, and taken away after the run. */
  manifests: z.array(z.string().min(1)).default([]),
}

/** For whoever asks of any such mesh where its files come from. */
export const sourceSettings = z.looseObject(fromCharts)

/** A config is kept whole in the journal, and read again from there; of a file of values only its name is. */
function refuseSecrets(
  values: Readonly<Partial<Record<string, ValuesGiven>>>,
  context: z.RefinementCtx<unknown>,
): void {
  const message =
    "is secret, and a run's journal keeps its config: put it into a file of values, and name that in its place"
  for (const [release, given] of Object.entries(values))
    for (const path of secretsIn(given, [release]))
      context.addIssue({ code: 'custom', path: [...path], message })
}

/** Settings of a mesh that has these releases. */
export function chartSettings<Release extends string>(releases: readonly Release[]) {
  return z.strictObject({
    ...fromCharts,
    /** Helm values by release, for example `{ istiod: { telemetry: { enabled: false } } }`, merged over the product's own. */
    values: z
      .partialRecord(z.enum(releases), z.union([layer, z.array(layer)]))
      .superRefine(refuseSecrets)
      .default({}),
  })
}

export type ChartSettings = Omit<z.output<ReturnType<typeof chartSettings>>, 'values'> & {
  readonly values: Readonly<Partial<Record<string, ValuesGiven>>>
}

export type ValuesLayer = z.output<typeof layer>
export type ValuesGiven = ValuesLayer | readonly ValuesLayer[]

/** A mesh's settings with their defaults; the config was checked when it was read. */
export function settingsFor<Schema extends z.ZodType>(
  schema: Schema,
  mesh: string,
  { config }: Pick<EnvironmentRequest, 'config'>,
): z.output<Schema> {
  return schema.parse(config.meshSettings[mesh] ?? {})
}
