/** A TCP connection of a place that cannot be reached from here, carried by a command that runs there. */
import { Duplex } from 'node:stream'
import type { Running } from '../../../harness/model.js'

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
