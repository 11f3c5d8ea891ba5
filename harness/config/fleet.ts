/** `--fleet requestsPerSecond=20000,pods=400,nodes=20`: what the config's `cost.fleet` says, on the command line. */
import type { Fleet } from '../model.js'
import { fleetSchema } from './config-schema.js'
import { fleetExample } from './flags.js'
import { describeIssue, type Checked } from './problems.js'

/** What stands there that is no `name=number` is a problem of its own; the rest is checked as the config's is. */
export function readFleet(text: string): Checked<Fleet | undefined> {
  const given: Record<string, number> = {}
  const problems: string[] = []
  for (const part of text.split(',')) {
    const [, name, value] = /^\s*(\w+)\s*=\s*([\d.]+)\s*$/.exec(part) ?? []
    if (name === undefined)
      problems.push(`--fleet: ${JSON.stringify(part)} is no name=number; for example ${fleetExample}`)
    else if (name in given) problems.push(`--fleet: ${name} is given twice`)
    else given[name] = Number(value)
  }
  const read = fleetSchema.safeParse(given, { reportInput: true })
  if (problems.length === 0)
    for (const issue of read.error?.issues ?? [])
      problems.push(describeIssue(issue, fleetSchema, ['--fleet']))
  return { value: problems.length === 0 ? read.data : undefined, problems }
}
