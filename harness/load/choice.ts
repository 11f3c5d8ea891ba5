/** Driving an experiment with another engine than its own: what is possible, and what has to change in the load for it. */
import { findProgram } from '../exec.js'
import type { LoadSpec, Plan, Unmet } from '../model.js'
import { loaders, type Loader, type LoaderName } from './index.js'

export const engineNames = Object.keys(loaders) as LoaderName[]

/** Engines that are an experiment's whole point. */
const irreplaceable: readonly string[] = ['connect', 'stream']

/** The load as another engine drives it: programs of others know whole seconds only. */
export function driveWith(load: LoadSpec, engine: string): LoadSpec {
  if (engine === load.engine) return load
  const { needs }: Loader = loaders[engine as LoaderName]
  const seconds = (ms: number) => (needs === undefined ? ms : Math.ceil(ms / 1000) * 1000)
  return { ...load, engine, warmupMs: seconds(load.warmupMs), durationMs: seconds(load.durationMs) }
}

/** Why an engine cannot drive a load; undefined when it can. */
export function whyNot(
  engine: LoaderName,
  load: LoadSpec,
  options: { readonly searched: boolean; readonly headers: boolean },
): string | undefined {
  if (engine === load.engine) return undefined
  const { models, protocols, lacks = [], needs }: Loader = loaders[engine]
  if (irreplaceable.includes(load.engine)) return `what it measures is what engine ${load.engine} does`
  if (!models.includes(load.model)) return `it is a load of an ${load.model} loop; ${able(load)}`
  if (!protocols.includes(load.protocol)) return `${engine} does not speak ${load.protocol}; ${able(load)}`
  if (options.searched && (lacks.includes('unsent') || lacks.includes('response')))
    return `its search needs to know what was due and left unsent, which ${engine} cannot tell`
  if (needs !== undefined && load.arrival === 'poisson') return `${engine} knows no Poisson arrivals`
  if (needs !== undefined && options.headers)
    return `${engine} is given no headers, and a function of this run needs some`
  return undefined
}

function able({ model, protocol }: LoadSpec): string {
  const names = engineNames.filter((name) => {
    const { models, protocols }: Loader = loaders[name]
    return models.includes(model) && protocols.includes(protocol)
  })
  return `engines that can: ${names.join(', ')}`
}

/** Programs that the plan's engines need and that are not there, looked for before anything is started. */
export async function missingPrograms(
  plan: Plan,
  find: (name: string) => Promise<string | undefined> = findProgram,
): Promise<readonly Unmet[]> {
  const engines = [...new Set(plan.cells.map(({ load }) => load.engine))]
  const unmet = await Promise.all(
    engines.map(async (engine): Promise<Unmet[]> => {
      const { needs }: Loader = loaders[engine as LoaderName]
      if (needs === undefined) return []
      const need = `${needs}, which engine ${engine} runs`
      const { platform } = plan.config
      if (platform !== 'local')
        return [
          {
            need,
            found: `on ${platform} the client lives in a container image of this project, which holds no ${needs}`,
            remedy: 'measure on --platform local, or leave the engine to the experiment',
          },
        ]
      if ((await find(needs)) !== undefined) return []
      return [
        {
          need,
          found: 'no such program on the PATH',
          remedy: `install ${needs} and put it on the PATH, or choose another engine (\`meshbench list\`)`,
        },
      ]
    }),
  )
  return unmet.flat()
}
