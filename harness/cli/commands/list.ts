/** `meshbench list`: the names that configs and flags may use. */
import { exitCodes, type ExitCode } from '../../model/errors.js'
import { engines, type Engine } from '../../protocol/engines.js'
import { profiles } from '../../config/profiles.js'
import { meshes } from '../../../infra/meshes/index.js'
import { platforms } from '../../../infra/platforms/index.js'
import { experiments } from '../../../scenarios/experiments/index.js'
import { charts } from '../../../reports/charts/index.js'
import { chartFormats, formats, journalFormats } from '../../../reports/formats/index.js'
import { functions, type MeshFunction } from '../../../scenarios/functions.js'
import { paths } from '../../../scenarios/paths/index.js'

type Listing = Readonly<Record<string, readonly (readonly [name: string, summary: string])[]>>

export async function listCommand(flags: { json: boolean }): Promise<ExitCode> {
  const listing: Listing = {
    platforms: Object.values(platforms).map(({ name, summary }) => [name, summary]),
    meshes: Object.values(meshes).map(({ name, summary, paths: own }) => [
      name,
      `${summary}: ${own.join(', ')}`,
    ]),
    paths: Object.values(paths).map(({ name, summary }) => [name, summary]),
    experiments: Object.values(experiments).map(({ name, question }) => [name, question]),
    functions: Object.entries<MeshFunction>(functions).map(([name, { title, service }]) => [
      name,
      service === undefined ? title : `${title} (calls a service: ${service})`,
    ]),
    engines: Object.entries(engines).map(([name, engine]) => [name, engineText(engine)]),
    formats: Object.entries({ ...formats, ...journalFormats, ...chartFormats }).map(([name, { summary }]) => [
      name,
      summary,
    ]),
    charts: Object.keys(charts).map((name) => [name, '']),
    profiles: Object.entries(profiles).map(([name, { summary }]) => [name, summary]),
  }
  process.stdout.write(flags.json ? `${JSON.stringify(toObjects(listing), null, 2)}\n` : describe(listing))
  return exitCodes.ok
}

function engineText({ summary, models, protocols, lacks = [] }: Engine): string {
  const cannot = lacks.length === 0 ? '' : `; does not know: ${lacks.join(', ')}`
  return `${summary} (${models.join(' or ')} loop; ${protocols.join(', ')}${cannot})`
}

function toObjects(listing: Listing) {
  return Object.fromEntries(
    Object.entries(listing).map(([kind, rows]) => [kind, rows.map(([name, summary]) => ({ name, summary }))]),
  )
}

function describe(listing: Listing): string {
  const width = Math.max(...Object.values(listing).flatMap((rows) => rows.map(([name]) => name.length)))
  const sections = Object.entries(listing).map(([kind, rows]) =>
    [kind, ...rows.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`.trimEnd())].join('\n'),
  )
  return `${sections.join('\n\n')}\n`
}
