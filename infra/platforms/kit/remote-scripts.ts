/**
 * Short programs that are run inside a container with `node -e`, for what cannot be reached from outside of it, and a TCP
 * connection that one of them carries.
 *
 * Arguments are passed as JSON in `argv`, never pasted into the program.
 */
import { Duplex } from 'node:stream'
import type { Endpoint, Running } from '../../../harness/model.js'

/** `argv` that prints the body of a GET, or fails unless the status is 200. */
export function fetchScript(host: string, port: number, path: string): readonly string[] {
  return script(
    `const [host, port, path] = JSON.parse(process.argv[1])
    const reply = await fetch('http://' + host + ':' + port + path, { signal: AbortSignal.timeout(5000) })
    if (reply.status !== 200) throw new Error('GET ' + path + ' answered ' + reply.status)
    process.stdout.write(await reply.text())`,
    [host, port, path],
  )
}

/** `argv` that carries a TCP connection over its standard streams, in lines of base64; see `relayed`. */
export function relayScript({ host, port }: Endpoint): readonly string[] {
  return script(
    `const [host, port] = JSON.parse(process.argv[1])
    const { connect } = await import('node:net')
    const { createInterface } = await import('node:readline')
    const socket = connect(port, host)
    socket.on('data', (chunk) => process.stdout.write(chunk.toString('base64') + '\\n'))
    socket.on('error', () => {})
    socket.on('close', () => process.exit(0))
    const lines = createInterface({ input: process.stdin })
    lines.on('line', (line) => socket.write(Buffer.from(line, 'base64')))
    lines.on('close', () => socket.destroy())`,
    [host, port],
  )
}

/** The connection that `relayScript` opens, as a stream. It ends when the far end closes or cannot be reached. */
export function relayed(start: Promise<Running>): Duplex {
  const stream = new Duplex({
    read() {
      // Lines are pushed as they come: what proofs exchange is small.
    },
    write(chunk: Buffer, _encoding, done) {
      start.then((running) => {
        running.write(`${chunk.toString('base64')}\n`)
        done()
      }, done)
    },
    destroy(error, done) {
      start.then(
        (running) => running.kill('SIGKILL'),
        () => {},
      )
      done(error)
    },
  })
  const pump = async () => {
    for await (const line of (await start).lines) stream.push(Buffer.from(line, 'base64'))
    stream.push(null)
  }
  pump().catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))))
  return stream
}

/** `argv` that does nothing until it is told to end: it keeps a place where other commands can be run. */
export function idleScript(): readonly string[] {
  return script(
    `process.on('SIGTERM', () => process.exit(0))
    process.on('SIGINT', () => process.exit(0))
    setInterval(() => {}, 2 ** 30)`,
    [],
  )
}

/** `argv` that ends every process of the container but its first and itself. */
export function killAllScript(signal: 'SIGTERM' | 'SIGKILL'): readonly string[] {
  return script(
    `const [signal] = JSON.parse(process.argv[1])
    const { readdirSync } = await import('node:fs')
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      if (!(pid > 1) || pid === process.pid) continue
      try { process.kill(pid, signal) } catch {}
    }`,
    [signal],
  )
}

function script(source: string, values: readonly unknown[]): readonly string[] {
  return ['node', '--input-type=module', '-e', source.replaceAll(/\n\s+/g, '\n'), JSON.stringify(values)]
}
