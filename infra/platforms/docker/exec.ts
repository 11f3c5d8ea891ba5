/** Runs a short command in a container that is up and returns its standard output. */
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import type Docker from 'dockerode'
import { CommandError } from '../../../harness/model/errors.js'

/** Throws `CommandError` with the end of standard error when it fails. */
export async function execInContainer(
  docker: Docker,
  containerId: string,
  argv: readonly string[],
): Promise<string> {
  const exec = await docker
    .getContainer(containerId)
    .exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true })
  const stream = await exec.start({ hijack: true, stdin: false })
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  docker.modem.demuxStream(stream, stdout, stderr)
  const said = Promise.all([text(stdout), text(stderr)])
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject)
    stream.once('end', resolve)
    stream.once('close', resolve)
  })
  stdout.end()
  stderr.end()
  const [output, errors] = await said
  const { ExitCode: code } = await exec.inspect()
  if (code === 0) return output
  throw new CommandError(argv, { code, signal: null, tail: errors.slice(-8192) })
}
