/** Sends bytes to a port and collects the answer, for proofs of what a port refuses. */
import type { Duplex } from 'node:stream'
import type { Endpoint, Host } from '../../../harness/model.js'

/** What comes back until the peer closes, resets, or `timeoutMs` passes. Never rejects. */
export function exchange(
  host: Pick<Host, 'connect'>,
  endpoint: Endpoint,
  bytes: Uint8Array,
  timeoutMs: number,
): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = host.connect(endpoint) as Duplex
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => {})
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(chunks))
    })
    socket.write(bytes)
  })
}
