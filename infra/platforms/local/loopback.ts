/** Reads admin pages of components that listen on this machine. */
import { get } from 'node:http'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ByteStream, Endpoint } from '../../../harness/model.js'

const timeoutMs = 5_000
const maxBytes = 8 * 2 ** 20

/** Body of a GET over a connection that `connect` opens; rejects unless the status is 200. */
export async function fetchText(
  endpoint: Endpoint,
  path: string,
  connect: (endpoint: Endpoint) => ByteStream = ({ host, port }) => connectTcp(port, host),
): Promise<string> {
  return new Promise((resolve, reject) => {
    const createConnection = () => connect(endpoint) as Duplex
    const request = get({ ...endpoint, path, timeout: timeoutMs, createConnection }, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxBytes) request.destroy(new Error(`${path} answered more than ${maxBytes} bytes`))
        else chunks.push(chunk)
      })
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString())
        else
          reject(
            new Error(`GET ${path} on port ${endpoint.port} answered ${response.statusCode ?? 'nothing'}`),
          )
      })
    })
    request.once('timeout', () => request.destroy(new Error(`GET ${path} took more than ${timeoutMs} ms`)))
    request.once('error', reject)
  })
}
