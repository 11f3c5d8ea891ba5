/** Runs a command in a container of its own and talks to it over its standard streams, as if it were a process. */
import { PassThrough, type Duplex } from 'node:stream'
import { createInterface } from 'node:readline'
import type Docker from 'dockerode'
import { messageOf } from '../../../harness/model/errors.js'
import type { Running } from '../../../harness/model.js'
import { Tail } from '../../../harness/process/exec.js'
import { containerOptions, type ContainerSpec } from './container-options.js'

export interface RunInContainerOptions {
  readonly docker: Docker
  readonly spec: ContainerSpec
  readonly networks: readonly string[]
  readonly input?: string
  readonly signal: AbortSignal
}

type End = Awaited<Running['exited']>

/**
 * Starts at once; a container that cannot be created or started shows as `exited` with code 125, as the `docker`
 * command does it. The container is removed when it has ended.
 */
export function runInContainer(options: RunInContainerOptions): Running {
  const { docker, spec } = options
  const output = new PassThrough()
  const input = new PassThrough()
  if (options.input !== undefined) input.write(options.input)
  const tail = new Tail()
  let container: Docker.Container | undefined
  let wanted: 'SIGTERM' | 'SIGKILL' | undefined

  const kill = (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
    wanted = signal
    // It may have ended by itself in the meantime.
    void container?.kill({ signal }).catch(() => {})
  }
  const abort = () => kill('SIGKILL')
  options.signal.addEventListener('abort', abort, { once: true })

  async function work(): Promise<End> {
    container = await docker.createContainer(containerOptions({ ...spec, interactive: true }))
    try {
      for (const name of options.networks) await docker.getNetwork(name).connect({ Container: container.id })
      const stream = (await container.attach({
        stream: true,
        hijack: true,
        stdin: true,
        stdout: true,
        stderr: true,
      })) as Duplex
      const stderr = new PassThrough()
      const stdout = new PassThrough()
      docker.modem.demuxStream(stream, stdout, stderr)
      for (const part of [stdout, stderr]) part.on('data', (chunk: Buffer) => tail.add(chunk))
      stdout.pipe(output, { end: false })
      stream.on('error', () => {})
      input.pipe(stream)
      const drained = new Promise((resolve) => stream.once('close', resolve).once('end', resolve))
      await container.start()
      if (wanted || options.signal.aborted) kill(wanted ?? 'SIGKILL')
      // The stream ends with the program. A wait from before the start would end at once: it was not running then.
      await drained
      const { StatusCode: code } = (await container.wait()) as { StatusCode: number }
      stdout.end()
      return { code, signal: signalOf(code), tail: tail.text() }
    } finally {
      await container.remove({ v: true, force: true }).catch(() => {})
    }
  }
  const exited = work()
    .catch((error: unknown): End => ({
      code: 125,
      signal: null,
      tail: `${tail.text()}\n${messageOf(error)}`.trim(),
    }))
    .finally(() => {
      options.signal.removeEventListener('abort', abort)
      output.end()
    })

  return {
    lines: createInterface({ input: output, crlfDelay: Infinity }),
    write: (text) => void input.write(text),
    kill,
    exited,
  }
}

/** Engines report death by a signal as 128 + its number. */
function signalOf(code: number): string | null {
  return ({ 130: 'SIGINT', 137: 'SIGKILL', 143: 'SIGTERM' } as Record<number, string>)[code] ?? null
}
