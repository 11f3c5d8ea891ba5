/**
 * A shell on each node that stays open: a command takes the time that it takes, and not that of a process which the engine
 * starts for it. What is timed by a command needs that, such as a pause of some milliseconds.
 */
import { randomBytes } from 'node:crypto'
import { PassThrough, type Duplex } from 'node:stream'
import type Docker from 'dockerode'
import { CommandError } from '../../../harness/model/errors.js'
import { Tail } from '../../../harness/process/exec.js'
import type { Scope } from '../../../harness/model.js'

/** Standard output of a command on a node; commands of one node run one after another. Throws `CommandError`. */
export type NodeShell = (node: string, argv: readonly string[]) => Promise<string>

/** A node that stands still answers nothing. The longest wait here, for a kubelet to begin anew, is half a minute or more. */
const commandTimeoutMs = 120_000

/** Shells open when they are first needed, again if they were lost, and close with the scope. */
export function nodeShells(
  docker: Docker,
  scope: Pick<Scope, 'defer'>,
  timeoutMs = commandTimeoutMs,
): NodeShell {
  const shells = new Map<string, Promise<Shell>>()
  const last = new Map<string, Promise<unknown>>()
  scope.defer('close the shells of nodes', async () => {
    for (const shell of await Promise.allSettled(shells.values()))
      if (shell.status === 'fulfilled') shell.value.close()
  })
  const shellOf = async (node: string): Promise<Shell> => {
    const open = await shells.get(node)?.catch(() => undefined)
    if (open && !open.isLost()) return open
    const opening = openShell(docker, node, timeoutMs)
    shells.set(node, opening)
    return opening
  }
  return (node, argv) => {
    const before = last.get(node) ?? Promise.resolve()
    const running = before.catch(() => {}).then(async () => (await shellOf(node)).run(argv))
    last.set(node, running)
    return running
  }
}

interface Shell {
  run(argv: readonly string[]): Promise<string>
  isLost(): boolean
  close(): void
}

async function openShell(docker: Docker, container: string, timeoutMs: number): Promise<Shell> {
  const exec = await docker
    .getContainer(container)
    .exec({ Cmd: ['sh'], AttachStdin: true, AttachStdout: true, AttachStderr: true })
  const stream: Duplex = await exec.start({ hijack: true, stdin: true })
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  docker.modem.demuxStream(stream, stdout, stderr)
  let tail = new Tail()
  stderr.on('data', (chunk: Buffer) => tail.add(chunk))
  let lost = false
  let onLost: (() => void) | undefined
  const lose = () => {
    lost = true
    onLost?.()
  }
  stream.once('error', lose).once('end', lose).once('close', lose)
  return {
    async run(argv) {
      tail = new Tail()
      // No command's own output holds it.
      const end = `end-${randomBytes(12).toString('hex')}`
      const status = new RegExp(`\\n${end} (\\d+)\\n`)
      const text = await new Promise<string>((resolve, reject) => {
        let output = ''
        const onData = (chunk: Buffer) => {
          output += chunk.toString()
          if (status.test(output.slice(-end.length - 16))) finish(() => resolve(output))
        }
        const finish = (settle: () => void) => {
          clearTimeout(timer)
          stdout.off('data', onData)
          onLost = undefined
          settle()
        }
        const fail = (why: string) =>
          finish(() => reject(new CommandError(argv, { code: null, signal: null, tail: why })))
        const timer = setTimeout(() => {
          // What comes of it later must not be taken for the next command's.
          lost = true
          fail(`no end after ${timeoutMs} ms`)
          stream.destroy()
        }, timeoutMs)
        onLost = () => fail('its shell was lost')
        if (lost) return onLost()
        stdout.on('data', onData)
        stream.write(`${argv.map(quoted).join(' ')} </dev/null; printf '\\n%s %d\\n' ${end} $?\n`)
      })
      const [mark = '', code = ''] = status.exec(text) ?? []
      if (code !== '0') throw new CommandError(argv, { code: Number(code), signal: null, tail: tail.text() })
      return text.slice(0, -mark.length)
    },
    isLost: () => lost,
    close: () => stream.end(),
  }
}

/** As a POSIX shell takes it for one word (IEEE Std 1003.1, Shell Command Language, 2.2.2). */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
