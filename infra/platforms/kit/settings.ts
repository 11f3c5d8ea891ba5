/** What platforms let a config say of themselves, in one way, and what of it cannot be had. */
import { z } from 'zod'
import { defined } from '../../../harness/model/defined.js'
import { toolsOf } from '../../../harness/load/choice.js'
import type { EnvironmentRequest, Fact, ImagePin, Unmet } from '../../../harness/model.js'
import { findProgram } from '../../../harness/process/exec.js'
import { meshPrograms, singleClientArms } from '../../meshes/declared.js'
import { asPin } from '../../supply/pull.js'

/** The settings of the run's platform with their defaults; the config was checked when it was read. */
export function platformSettings<Schema extends z.ZodType>(
  schema: Schema,
  { config }: Pick<EnvironmentRequest, 'config'>,
): z.output<Schema> {
  return schema.parse(config.platformSettings[config.platform] ?? {})
}

/** A reference that names one image for good. */
export const imageByDigest = z
  .string()
  .regex(
    /@sha256:[0-9a-f]{64}$/,
    'must end in a digest, such as @sha256:…, so that it names one image for good',
  )

/** Program → image that holds it by this name on its PATH; programs without one are taken from this machine. */
export const programImages = z.partialRecord(z.enum(meshPrograms), imageByDigest).default({})

/**
 * Image of the load generator, for engines that run a tool of others: this project's, with the tool on its PATH. Without it
 * the tool is taken from this machine.
 */
export const generatorImage = imageByDigest.optional()

/** What the settings and the plan's engines ask of the generator's image. */
export function generatorNeeds(
  { config }: EnvironmentRequest,
  settings: { readonly generatorImage?: string | undefined },
): { readonly tools: readonly string[]; readonly generatorImage?: string } {
  const { generatorImage } = settings
  return { tools: toolsOf(Object.values(config.engines ?? {})), ...defined({ generatorImage }) }
}

const limits = z.strictObject({
  /** Cores; clamped to what the engine has. */
  cpus: z.number().positive(),
  /** Beyond it a process is killed. */
  memoryMib: z.number().int().min(64),
})

export type Limits = z.infer<typeof limits>

/** Equal for every hop of every mesh. 2 cores and 1 GiB are Istio's defaults for sidecars and waypoints. */
export const containerLimits = {
  /** Of each hop. */
  hop: limits.default({ cpus: 2, memoryMib: 1024 }),
  /** Of the server, and of each service that functions call. */
  application: limits.default({ cpus: 2, memoryMib: 1024 }),
  /** Of the load generator. */
  generator: limits.default({ cpus: 2, memoryMib: 1024 }),
}

/** Images that a config names for what a platform runs. */
export function configuredImages(settings: {
  readonly baseImage?: string | undefined
  readonly generatorImage?: string | undefined
  readonly programImages: Readonly<Partial<Record<string, string>>>
}): readonly ImagePin[] {
  const { baseImage, generatorImage, programImages } = settings
  return [baseImage, generatorImage, ...Object.values(programImages)].flatMap((image) =>
    image === undefined ? [] : [asPin(image)],
  )
}

/** Without a base image by digest one is assembled here, which needs a Linux whose node is dynamically linked. */
export async function unmetBaseImage(
  platform: string,
  { baseImage }: { readonly baseImage?: string | undefined },
): Promise<readonly Unmet[]> {
  const isLinux = process.platform === 'linux'
  if (baseImage !== undefined || (isLinux && (await findProgram('ldd')))) return []
  return [
    {
      need: 'a base image for the containers, assembled from the running node on Linux with `ldd`',
      found: isLinux ? 'no ldd' : process.platform,
      remedy: `name one by digest in platformSettings.${platform}.baseImage, for example node:20-bookworm-slim@sha256:…`,
    },
  ]
}

/** Limits that an engine can grant: it refuses more CPUs than it has. */
export function clampLimits(
  { hop, application, generator }: Readonly<Record<keyof typeof containerLimits, Limits>>,
  cpus: number,
): Readonly<Record<keyof typeof containerLimits, Limits>> {
  const clamp = (limits: Limits) => ({ ...limits, cpus: Math.min(limits.cpus, cpus) })
  return { hop: clamp(hop), application: clamp(application), generator: clamp(generator) }
}

/** One process drives some ten thousand requests a second; beyond that, and for tens of thousands of connections, more. */
export const generatorPods = z.number().int().min(1).max(16).default(1)

/** Each generator's pod has a sidecar of its own where the path has one: all of them must be counted. */
export function checkGeneratorPods(request: EnvironmentRequest, pods: number): readonly Unmet[] {
  const wrong = pods === 1 ? [] : singleClientArms(request)
  if (wrong.length === 0) return []
  return [
    {
      need: `one generator pod for ${wrong.join(', ')}, whose clients' counters cannot be added up`,
      found: `generatorPods: ${pods}`,
      remedy: 'set generatorPods to 1, or leave these arms out',
    },
  ]
}

export function generatorFacts(pods: number): readonly Fact[] {
  if (pods === 1) return []
  return [
    {
      name: 'generators',
      value: `${pods} pods on the client's node share each trial's connections and rate; a sidecar path has a sidecar in each`,
    },
  ]
}
