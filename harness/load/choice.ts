/** Driving an experiment with another engine than its own: what is possible, and what has to change in the load for it. */
import { findProgram } from '../process/exec.js'
import type { LoadSpec, Plan, Unmet } from '../model.js'
import { engineNames, engineOf, type EngineName } from '../protocol/engines.js'

/** Engines that are an experiment's whole point. */
const irreplaceable: readonly EngineName[] = ['connect', 'stream']

/** The load as another engine drives it: programs of others know whole seconds only. */
export function driveWith(load: LoadSpec, engine: EngineName): LoadSpec {
  if (engine === load.engine) return load
  const { needs } = engineOf(engine)
  const seconds = (ms: number) => (needs === undefined ? ms : Math.ceil(ms / 1000) * 1000)
  return { ...load, engine, warmupMs: seconds(load.warmupMs), durationMs: seconds(load.durationMs) }
}

/** Why an engine cannot drive a load; undefined when it can. */
export function whyNot(
  engine: EngineName,
  load: LoadSpec,
  options: { readonly searched: boolean; readonly headers: boolean },
): string | undefined {
  if (engine === load.engine) return undefined
  const { models, protocols, lacks = [], needs } = engineOf(engine)
  const { workloads = 1 } = load
  if (irreplaceable.includes(load.engine)) return `what it measures is what engine ${load.engine} does`
  if (!models.includes(load.model)) return `it is a load of an ${load.model} loop; ${able(load)}`
  if (!protocols.includes(load.protocol)) return `${engine} does not speak ${load.protocol}; ${able(load)}`
  if (options.searched && (lacks.includes('unsent') || lacks.includes('response')))
    return `its search needs to know what was due and left unsent, which ${engine} cannot tell`
  if (load.mix && engine !== 'open-loop')
    return `${engine} sends requests of one kind, and it mixes ${load.mix.length}`
  if (needs !== undefined && workloads > 1) return `${engine} sends to one workload, and it has ${workloads}`
  if (needs !== undefined && load.arrival === 'poisson') return `${engine} knows no Poisson arrivals`
  if (needs !== undefined && options.headers)
    return `${engine} is given no headers, and a function of this run needs some`
  return whyNoRate(engine, load)
}

/** What figures of these loads must not be used for, as `meshbench truth` has measured it. Each line once. */
export function engineWarnings(loads: readonly LoadSpec[]): readonly string[] {
  const lines = loads.flatMap(({ engine, model }) => {
    const { lacks = [], rates, stepUs = 1 } = engineOf(engine)
    return [
      ...(model === 'open' && lacks.includes('response')
        ? [
            `${engine} charges a stall to what it had sent and not to what was due: its high percentiles are too low`,
          ]
        : []),
      ...(model === 'open' && rates?.perConnection
        ? [`${engine} deals its rate to connections whose requests come in bursts`]
        : []),
      ...(stepUs > 1
        ? [`${engine} tells times in steps of ${stepUs} µs: smaller differences are not seen`]
        : []),
    ]
  })
  return [...new Set(lines)]
}

/** Beyond this share a rate is not the one that was asked for: trials would be invalid by the usual limits. */
const rateWithin = 0.02

/** Why an engine cannot keep the rate over these connections, with what it can; undefined when it can. */
function whyNoRate(
  engine: EngineName,
  { ratePerSecond, connections, durationMs }: LoadSpec,
): string | undefined {
  const { rates } = engineOf(engine)
  if (!rates || ratePerSecond === undefined) return undefined
  if (rates.whole && !Number.isInteger(ratePerSecond))
    return `${engine} takes whole requests a second, ${Math.max(1, Math.floor(ratePerSecond))} or ${Math.ceil(ratePerSecond)}, and not ${ratePerSecond}`
  const due = (ratePerSecond * durationMs) / 1000
  if (rates.perConnection && connections > due * rateWithin) {
    const least = Math.ceil((connections / rateWithin / durationMs) * 1000)
    const most = Math.floor(due * rateWithin)
    return `${engine} has each connection send its first request at once: ${connections} of the ${Math.round(due)} that are due in ${durationMs / 1000} s; over ${connections} connections it can keep ${least} a second and more${most > 0 ? `, or this rate over ${most}` : ''}`
  }
  return undefined
}

function able({ model, protocol }: LoadSpec): string {
  const names = engineNames.filter((name) => {
    const { models, protocols } = engineOf(name)
    return models.includes(model) && protocols.includes(protocol)
  })
  return `engines that can: ${names.join(', ')}`
}

/** Programs of others that engines run, each once. */
export function toolsOf(engines: readonly EngineName[]): readonly string[] {
  return [...new Set(engines.flatMap((engine) => engineOf(engine).needs ?? []))].sort()
}

/**
 * Programs that the plan's engines need and that are not there, looked for before anything is started. On platforms of
 * containers they are taken from this machine, too, unless the config names an image of the generator that holds them.
 */
export async function missingPrograms(
  plan: Plan,
  find: (name: string) => Promise<string | undefined> = findProgram,
): Promise<readonly Unmet[]> {
  const { platform, platformSettings } = plan.config
  if (hasOwnGenerator(platformSettings[platform])) return []
  const unmet = await Promise.all(
    toolsOf(plan.cells.map(({ load }) => load.engine)).map(async (program): Promise<Unmet[]> => {
      if ((await find(program)) !== undefined) return []
      return [
        {
          need: `${program}, which the engine of this name runs`,
          found: 'no such program on the PATH',
          remedy: `install ${program} and put it on the PATH, or choose another engine (\`meshbench list\`)`,
        },
      ]
    }),
  )
  return unmet.flat()
}

/** An image that the user names, for the generator alone or, as on a cluster that exists, for every program. */
function hasOwnGenerator(settings: unknown): boolean {
  const { generatorImage, images } = (settings ?? {}) as { generatorImage?: unknown; images?: unknown }
  return generatorImage !== undefined || images !== undefined
}
