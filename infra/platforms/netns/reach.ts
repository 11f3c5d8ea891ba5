/**
 * Opens connections from within the namespaces: a small process on the bridge dials for us. Its own socket is a file, which
 * no network namespace keeps us from.
 */
import { connect } from 'node:net'
import type { ByteStream, Endpoint, Scope } from '../../../harness/model.js'
import { start } from '../../../harness/process/exec.js'
import { socketPath } from '../kit/socket-path.js'
import type { Namespace } from './namespaces.js'

/** Takes `host port` on the first line of a connection, then carries bytes. */
const script = `
const net = require('node:net')
const server = net.createServer({ allowHalfOpen: true }, (near) => {
  let head = Buffer.alloc(0)
  near.on('error', () => {})
  near.on('data', function first(chunk) {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf(10)
    if (end < 0) return
    near.off('data', first)
    near.pause()
    const [host, port] = head.subarray(0, end).toString().split(' ')
    const far = net.connect({ host, port: Number(port), allowHalfOpen: true })
    far.write(head.subarray(end + 1))
    far.on('error', () => {})
    far.once('close', () => near.destroy())
    near.once('close', () => far.destroy())
    near.pipe(far)
    far.pipe(near)
  })
})
server.listen(process.argv[1], () => console.log('ready'))
process.stdin.resume().once('end', () => process.exit())
`

export async function createReach(
  from: Pick<Namespace, 'enter'>,
  name: string,
  scope: Scope,
): Promise<(to: Endpoint) => ByteStream> {
  const path = socketPath(scope, name)
  // By its name alone, since it may be in a user namespace of its own.
  const argv = from.enter([process.execPath, '-e', script, name])
  const dialler = start({ argv }, { runId: scope.runId, cwd: scope.stateDir })
  scope.defer('end the dialler', async () => {
    dialler.kill('SIGKILL')
    await dialler.exited
  })
  const line = await dialler.lines[Symbol.asyncIterator]().next()
  if (line.value !== 'ready') throw new Error(`no way into the namespaces: ${(await dialler.exited).tail}`)
  return ({ host, port }) => {
    const stream = connect(path)
    stream.write(`${host} ${port}\n`)
    return stream
  }
}
