/** Clients for the tests of foreign hops: HTTP with connections kept, and raw TCP to the byte. */
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import type { Endpoint } from '../../../harness/model.js'
import { serviceAuthority } from '../reference/names.js'

export interface Answer {
  readonly status: number
  readonly bytes: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface GetOptions {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly connections?: number
}

/** GETs 1 KiB so many times over a few connections that are kept alive. */
export async function getMany(
  { host, port }: Endpoint,
  count: number,
  { path = '/echo?size=1024', headers = {}, connections = 4 }: GetOptions = {},
): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const get = () =>
    new Promise<Answer>((resolve, reject) => {
      const sent = request(
        { host, port, path, agent, headers: { host: serviceAuthority, ...headers } },
        (reply) => {
          let bytes = 0
          reply.on('data', (chunk: Buffer) => (bytes += chunk.length))
          reply.once('end', () => resolve({ status: reply.statusCode ?? 0, bytes, headers: reply.headers }))
          reply.once('error', reject)
        },
      )
      sent.setTimeout(10_000, () => sent.destroy(new Error('no reply in 10 s')))
      sent.once('error', reject)
      sent.end()
    })
  const answers = await Promise.all(Array.from({ length: count }, get))
  agent.destroy()
  return answers
}

/** Sends bytes, ends that half, and returns all that comes back. `afterReply`: sends when the peer has ended its half. */
export async function exchangeTcp(
  { host, port }: Endpoint,
  bytes: Uint8Array,
  { afterReply = false } = {},
): Promise<{ reply: Buffer; reset: boolean }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let reset = false
    const socket = connect({ host, port, allowHalfOpen: true })
    const timer = setTimeout(() => socket.destroy(new Error('no end in 10 s')), 10_000)
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.once('error', (error) => {
      // A peer that has ended may answer what is sent after that with a reset: the caller judges it.
      if (!afterReply) reject(error)
      reset = true
    })
    socket.once('end', () => {
      if (afterReply) socket.end(bytes)
    })
    socket.once('close', () => {
      clearTimeout(timer)
      resolve({ reply: Buffer.concat(chunks), reset })
    })
    if (!afterReply) socket.end(bytes)
  })
}
