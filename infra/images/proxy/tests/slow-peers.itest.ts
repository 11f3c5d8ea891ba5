/** HTTP through the proxy between peers that read slowly or not at all: nobody's bytes are lost, mixed up or piled up. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { flag, frameType } from '../../kit/h2/frames.js'
import { encodeHeaders } from '../../kit/h2/hpack.js'
import { frame, speakFrames } from '../../kit/h2/testkit.js'
import { ask, closedAfterEach, sendRaw } from './testing.js'

const { open, proxyTo, rawServer, upstream } = closedAfterEach()

const getBlock = encodeHeaders(
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'a'],
  ],
  false,
)

describe('back-pressure', () => {
  it('does not read faster than the client does', async () => {
    let written = 0
    const server = await rawServer((socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n')
        const block = Buffer.alloc(65_536, 'x')
        const more = (): void => {
          while (written < 268_435_456) {
            written += block.length
            if (!socket.write(block)) return
          }
        }
        socket.on('drain', more)
        more()
      }),
    )
    const target = await proxyTo(server)
    const client = connect({ host: target.address.host, port: target.address.port })
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => setTimeout(resolve, 400))
    // Socket buffers of the kernel take some MiB; without back-pressure the proxy would take all.
    expect(written).toBeLessThan(64 * 1024 * 1024)
    let received = 0
    client.on('data', (bytes: Buffer) => {
      received += bytes.length
      if (received > 40 * 1024 * 1024) client.destroy()
    })
    client.resume()
    await once(client, 'close')
    expect(received).toBeGreaterThan(40 * 1024 * 1024)
  })

  it.each(['HTTP/1.1', 'HTTP/2'])(
    'holds an upstream that only informs, for a client of %s',
    async (version) => {
      const block = `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(8000)}\r\n\r\n`.repeat(8)
      const server = await rawServer((socket) => {
        const more = (): void => {
          while (socket.write(block));
        }
        socket.on('drain', more)
        socket.once('data', more)
      })
      const { address, metric } = await proxyTo(server)
      const client = connect(address)
      open.push({ close: () => client.destroy() })
      await once(client, 'connect')
      if (version === 'HTTP/1.1') client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      else speakFrames(client).send(frame(frameType.headers, flag.endHeaders | flag.endStream, 1, getBlock))
      client.pause()
      const read = () => metric('meshbench_received_bytes_total', 'upstream')
      await expect.poll(read).toBeGreaterThan(1_000_000)
      // It stands still once the kernel's buffers are full.
      await expect
        .poll(
          async () => {
            const before = read()
            await new Promise((resolve) => setTimeout(resolve, 300))
            return read() - before
          },
          { timeout: 5000 },
        )
        .toBe(0)
      const held = read()
      client.resume()
      await expect.poll(read).toBeGreaterThan(held + 1_000_000)
    },
  )
})

describe('many slow transfers at once', () => {
  const size = 16 * 1024 * 1024
  const pattern = Buffer.from(Array.from({ length: 251 * 1024 }, (_, i) => i % 251))
  /** Compares every byte with the pattern that begins at `seed`; what comes before the first empty line is a head. */
  const checkBytes = (seed: number) => {
    let head = ''
    let at = 0
    const state = { whole: false, wrong: false }
    return {
      state,
      feed: (chunk: Buffer): void => {
        let bytes = chunk
        if (!head.endsWith('\r\n\r\n')) {
          const text = chunk.toString('latin1')
          const end = text.indexOf('\r\n\r\n') + 4
          head += text.slice(0, end)
          bytes = chunk.subarray(end)
        }
        for (let from = 0; from < bytes.length;) {
          const start = (seed + at) % 251
          const part = bytes.subarray(from, from + pattern.length - start)
          if (!part.equals(pattern.subarray(start, start + part.length))) state.wrong = true
          from += part.length
          at += part.length
        }
        state.whole = at === size
      },
    }
  }
  const patternFrom = (seed: number): Buffer => {
    const body = Buffer.allocUnsafe(size)
    for (let at = 0; at < size;) at += pattern.copy(body, at, (seed + at) % 251)
    return body
  }
  const seeds = [1, 37, 73, 109, 145, 181]

  it('bring every client its own bytes', async () => {
    const server = await rawServer((socket) =>
      socket.once('data', (request: Buffer) => {
        const seed = Number(/^GET \/(\d+) /.exec(request.toString('latin1'))?.[1])
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
        socket.write(patternFrom(seed))
      }),
    )
    const { address } = await proxyTo(server)
    const states = await Promise.all(
      seeds.map(async (seed, i) => {
        const client = connect(address.port, address.host)
        open.push({ close: () => client.destroy() })
        const { state, feed } = checkBytes(seed)
        client.write(`GET /${seed} HTTP/1.1\r\nHost: a\r\n\r\n`)
        client.pause()
        setTimeout(() => client.resume(), 200 + 100 * (i % 3))
        client.on('data', feed)
        await expect.poll(() => state.whole, { timeout: 20_000 }).toBe(true)
        return state
      }),
    )
    expect(states.map(({ wrong }) => wrong)).toEqual(seeds.map(() => false))
  })

  it('bring an upstream that reads slowly, and is not connected yet, the bytes of each client', async () => {
    const server = await rawServer((socket) => {
      let check: ReturnType<typeof checkBytes> | undefined
      socket.pause()
      setTimeout(() => socket.resume(), 300)
      socket.on('data', (chunk: Buffer) => {
        check ??= checkBytes(Number(/^PUT \/(\d+) /.exec(chunk.toString('latin1'))?.[1]))
        check.feed(chunk)
        const { whole, wrong } = check.state
        if (whole) socket.end(`HTTP/1.1 ${wrong ? 500 : 204} Done\r\nConnection: close\r\n\r\n`)
      })
    })
    const { address } = await proxyTo(server)
    const answers = await Promise.all(
      seeds.map((seed) =>
        sendRaw(
          address,
          [
            `PUT /${seed} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`,
            patternFrom(seed),
          ],
          { timeoutMs: 20_000 },
        ),
      ),
    )
    expect(answers.map((answer) => answer.slice(0, 12))).toEqual(seeds.map(() => 'HTTP/1.1 204'))
  })
})

describe('a slow reader', () => {
  it('does not leave its pause to the next user of the upstream connection', async () => {
    const big = 'y'.repeat(8_000_000)
    const server = await upstream((_request, response) => {
      response.setHeader('content-length', big.length)
      response.end(big)
    })
    const target = await proxyTo(server)
    for (let i = 0; i < 4; i++) expect((await ask(target.address)).body.length).toBe(big.length)
    expect(target.metric('meshbench_upstream_connections_total')).toBe(1)
  })

  it('of many answers is not sent more requests’ answers than fit', async () => {
    let served = 0
    const server = await upstream((_request, response) => {
      served++
      response.end('z'.repeat(1_000_000))
    })
    const target = await proxyTo(server)
    const client = connect({ host: target.address.host, port: target.address.port })
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(200))
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(served).toBeLessThan(30)
    let received = 0
    client.on('data', (bytes: Buffer) => (received += bytes.length))
    client.resume()
    await expect.poll(() => received, { timeout: 9000 }).toBeGreaterThan(30_000_000)
    client.destroy()
  })

  it('of many answers is not blamed for the request that waits meanwhile', async () => {
    const server = await upstream((_request, response) => response.end('z'.repeat(60_000)))
    const target = await proxyTo(server, { limits: { headTimeoutMs: 300 } })
    const client = connect(target.address.port, target.address.host)
    open.push({ close: () => client.destroy() })
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(300))
    await new Promise((resolve) => setTimeout(resolve, 1500))
    let heads = 0
    client.on('data', (bytes: Buffer) => (heads += bytes.toString('latin1').split('200 OK').length - 1))
    client.resume()
    await expect.poll(() => target.metric('meshbench_requests_total'), { timeout: 9000 }).toBe(300)
    await expect.poll(() => heads).toBeGreaterThan(290)
    expect(target.metric('meshbench_requests_total', '2xx')).toBe(300)
  })
})

describe('a client that reads slowly', () => {
  const size = 16 * 1024 * 1024
  /** Asks for a large answer on a connection of its own and reads nothing yet. */
  const askWithoutReading = async (fields: string, sendIdleMs: number) => {
    const server = await upstream((_request, response) => response.end(Buffer.alloc(size)))
    const { address } = await proxyTo(server, { limits: { sendIdleMs } })
    const client = connect(address.port, address.host)
    open.push({ close: () => client.destroy() })
    client.on('error', () => {})
    client.pause()
    client.write(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
    return { client, server }
  }

  it('is cut off when it takes nothing at all', async () => {
    const { client, server } = await askWithoutReading('', 300)
    const connections = () =>
      new Promise<number>((resolve) => server.server.getConnections((_error, count) => resolve(count)))
    await expect.poll(() => server.seen.length).toBe(1)
    // The upstream's answer is of no use to anybody any more, so its connection goes, too.
    await expect.poll(connections, { timeout: 10_000 }).toBe(0)
    let got = 0
    client.on('data', (bytes: Buffer) => (got += bytes.length)).resume()
    await once(client, 'close')
    expect(got).toBeLessThan(size)
  })

  it('gets the whole of an answer that ends its connection', async () => {
    const { client } = await askWithoutReading('Connection: close\r\n', 60_000)
    // Longer than a connection lingers whose answer has left.
    await new Promise((resolve) => setTimeout(resolve, 2000))
    let got = 0
    client.on('data', (bytes: Buffer) => {
      got += bytes.length
      client.pause()
      setTimeout(() => client.resume(), 2)
    })
    client.resume()
    await once(client, 'end')
    expect(got).toBeGreaterThan(size)
  })
})
