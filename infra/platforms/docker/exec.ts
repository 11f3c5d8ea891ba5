/** Runs a short command in a container that is up and returns its standard output. */
import { PassThrough } from 'node:stream'
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
  const stdout = collect()
  const stderr = collect()
  docker.modem.demuxStream(stream, stdout.stream, stderr.stream)
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject)
    stream.once('end', resolve)
    stream.once('close', resolve)
  })
  const { ExitCode: code } = await exec.inspect()
  if (code === 0) return stdout.text()
  throw new CommandError(argv, { code, signal: null, tail: stderr.text().slice(-8192) })
}

function collect(): { stream: PassThrough; text: () => string } {
  const chunks: Buffer[] = []
  const stream = new PassThrough()
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { stream, text: () => Buffer.concat(chunks).toString() }
}
