/** `meshbench redact`: a run without what names its host, its user, its cluster or its network, to be shown to strangers. */
import { hostname, userInfo } from 'node:os'
import { resolve } from 'node:path'
import { analyze } from '../../analyze/analyze.js'
import { UserError, exitCodes, type ExitCode } from '../../model/errors.js'
import { tryFolder } from '../../process/folders.js'
import { journalName, readJournal } from '../../run/journal.js'
import { redact } from '../../run/redact.js'
import { usualOutputs, writeFiles, writeOutputs } from '../outputs.js'
import { print } from '../print.js'

/** Names that many machines and users have tell nothing, and words of a journal may be the same. */
const common = ['localhost', 'root', 'runner', 'user', 'ubuntu', 'debian', 'node', 'vagrant', 'ec2-user']

export async function redactCommand(
  run: string,
  { out, hide = [] }: { readonly out: string; readonly hide?: readonly string[] },
): Promise<ExitCode> {
  tryFolder('--out', out)
  const journal = readJournal(run)
  if (resolve(out) === resolve(journal.folder))
    throw new UserError('--out is the folder of the run, which stays as it is', {
      hint: 'name another folder',
    })
  const own = [hostname(), userInfo().username].filter((name) => name.length > 3 && !common.includes(name))
  const { entries, hidden } = redact(journal.entries, [...own, ...hide])
  const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
  const hint = 'name with --out a folder that can be written to'
  const written = [
    ...(await writeFiles(out, [{ name: journalName, contents: lines }], hint)),
    ...(await writeOutputs(analyze(readJournal(out).entries), out, usualOutputs)),
  ]
  for (const [text, name] of hidden) print(`${name} for ${text}`)
  print(
    `${hidden.size === 0 ? 'nothing was found that names anybody' : `hidden: ${hidden.size}`}; look at what is left before you show it`,
  )
  for (const path of written) print(`wrote ${path}`)
  return exitCodes.ok
}
