/** `meshbench mix`: kinds of request out of an access log, to be laid into a config. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { UserError, exitCodes, messageOf, type ExitCode } from '../../model/errors.js'
import { MixOfLog } from '../../load/access-log.js'
import { print } from '../print.js'

export async function mixCommand(file: string, flags: { kinds: number }): Promise<ExitCode> {
  const mix = new MixOfLog()
  try {
    const input = file === '-' ? process.stdin : createReadStream(file)
    for await (const line of createInterface({ input, crlfDelay: Infinity })) mix.add(line)
  } catch (error) {
    throw new UserError(`cannot read ${file}: ${messageOf(error)}`)
  }
  const kinds = mix.kinds(flags.kinds)
  if (kinds.length === 0)
    throw new UserError(
      mix.lines === 0
        ? `${file} has no line`
        : `${file}: none of its ${mix.lines} lines is of a format that is read`,
      {
        hint: 'read are the access logs of Envoy and Istio, as text or JSON, and of nginx and Apache (combined, common)',
      },
    )
  const read = mix.lines - mix.unread
  print(`// ${read} requests of ${file}; for an experiment's settings, for example experiments.latency`)
  print('mix: [')
  for (const { share, requestBytes, payloadBytes } of kinds)
    print(`  { share: ${share}, requestBytes: ${requestBytes}, payloadBytes: ${payloadBytes} },`)
  print('],')
  const note = (count: number, text: string) => count > 0 && process.stderr.write(`${text}: ${count}\n`)
  note(mix.unread, 'lines of no known format, which are left out')
  note(mix.capped, 'requests that moved more than a kind may, and are taken as that much')
  return exitCodes.ok
}
