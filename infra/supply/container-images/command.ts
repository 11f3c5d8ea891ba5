/** How a workload's program is called in a container, and what its config file holds. */
import type { Workload } from '../../../harness/model.js'
import { programPath } from './build.js'

/** The folder that programs may write to in a container whose root is read-only. */
const writableFolder = '/tmp'

export function containerCommand(program: Workload['program'], configPath: string): readonly string[] {
  if (program.kind === 'image') return ['node', programPath(program.image), '--config', configPath]
  const words = program.argv
    .slice(1)
    .map((word) => word.replaceAll('{config}', configPath).replaceAll('{folder}', writableFolder))
  return [program.name, ...words]
}

/** Programs of others have formats of their own, ours take JSON. */
export function configText(config: unknown): string {
  return typeof config === 'string' ? config : JSON.stringify(config, null, 2)
}
