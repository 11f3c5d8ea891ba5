/** The proxy between programs that we did not write: curl, h2load, node's own http2 client and nginx. */
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type IncomingHttpHeaders, connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startChain } from '../../bench/endurance/chain.js'
import { freeAddress, startNginx } from '../../bench/peers/programs.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import { createTestAuthority, createWorkspace, spiffe, writeWorkload } from '../../kit/testing.js'
import { type TestProxy, type TestUpstream, ask, cluster, startTestProxy, startUpstream } from './testing.js'

const run = promisify(execFile)
/** A test that needs a program of the host; without it, the title says why it is skipped. */
const itWith = (command: string, title: string, body: () => Promise<void>): void => {
  const isThere = spawnSync(command, ['--version']).error === undefined
  if (isThere) it(`${command}: ${title}`, body)
  else it.skip(`${command}: ${title} (skipped: ${command} is not installed)`, body)
}

const workspace = createWorkspace()
const big = 'b'.repeat(1_000_000)
let upstream: TestUpstream
let plain: TestProxy
let secure: TestProxy

beforeAll(async () => {
  const authority = await createTestAuthority()
  await writeWorkload(workspace, authority, 'client')
  const identity = await writeWorkload(workspace, authority, 'server')
  upstream = await startUpstream()
  plain = await startTestProxy({ clusters: [cluster('server', upstream)] })
  secure = await startTestProxy(
    {
      identity,
      listeners: [{ name: 'tls', host: '127.0.0.1', port: 0, transport: 'mtls', expect: [spiffe('client')] }],
      clusters: [cluster('server', upstream)],
    },
    workspace.dir,
  )
  workspace.write('body', big)
})
afterAll(() => {
  plain.close()
  secure.close()
  upstream.close()
  workspace.remove()
})

const file = (name: string): string => `${workspace.dir}/${name}`
const url = (scheme: string, { host, port }: ListenerAddress, path = '/'): string =>
  `${scheme}://${host}:${port}${path}`

describe('clients', () => {
  itWith('curl', 'sends and gets bodies over HTTP/1.1, HTTP/2, and both over mutual TLS', async () => {
    const tls = ['-k', '--cert', file('client.crt'), '--key', file('client.key')]
    const ways: [string[], string, string][] = [
      [['--http1.1'], url('http', plain.address), '1.1'],
      [['--http2-prior-knowledge'], url('http', plain.address), '2'],
      [['--http1.1', ...tls], url('https', secure.address), '1.1'],
      [['--http2', ...tls], url('https', secure.address), '2'],
    ]
    for (const [options, target, version] of ways) {
      const { stdout } = await run(
        'curl',
        [
          ...options,
          '-sS',
          '--data-binary',
          `@${file('body')}`,
          '-w',
          '\n%{http_code} %{http_version}',
          target,
        ],
        { maxBuffer: 4e6 },
      )
      expect(stdout).toBe(`${big}\n200 ${version}`)
    }
    // Without a certificate there is no answer.
    await expect(run('curl', ['-ksS', url('https', secure.address)])).rejects.toThrow()
    expect(secure.metric('meshbench_requests_total')).toBe(2)
  })

  itWith('curl', 'reuses a connection, ranges over HEAD, and is asked to continue', async () => {
    const { stdout } = await run('curl', [
      ...['-sS', '-o', '/dev/null', '-o', '/dev/null', '-w', '%{num_connects} '],
      ...[url('http', plain.address, '/1'), url('http', plain.address, '/2')],
    ])
    expect(stdout).toBe('1 0 ')
    const { stdout: head } = await run('curl', ['-sSI', url('http', plain.address)])
    expect(head).toMatch(/^HTTP\/1\.1 200 OK/)
    const { stdout: continued } = await run('curl', [
      ...['-sS', '-H', 'Expect: 100-continue', '-d', 'x', '-D', '-', url('http', plain.address)],
    ])
    expect(continued).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  })

  itWith('h2load', 'gets every answer over HTTP/1.1 and HTTP/2', async () => {
    for (const protocol of [['--h1'], ['-m', '10']]) {
      const { stdout } = await run('h2load', [
        ...protocol,
        '-n',
        '2000',
        '-c',
        '20',
        url('http', plain.address),
      ])
      expect(stdout).toContain(
        '2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout',
      )
      expect(stdout).toContain('status codes: 2000 2xx')
    }
  })

  it('node:http2 multiplexes over mutual TLS', async () => {
    const client = connect(url('https', secure.address), {
      cert: readFileSync(file('client.crt')),
      key: readFileSync(file('client.key')),
      ca: readFileSync(file('client.ca')),
      checkServerIdentity: () => undefined,
    })
    const before = upstream.seen.length
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const stream = client.request({ ':path': `/${i}`, ':method': 'POST' })
        stream.end(`body ${i}`)
        let text = ''
        stream.setEncoding('latin1').on('data', (part: string) => (text += part))
        await once(stream, 'end')
        return text
      }),
    )
    client.close()
    expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => `body ${i}`))
    expect(upstream.seen[before]?.headers['x-forwarded-client-cert']).toContain(`URI=${spiffe('client')}`)
  })
})

describe('HTTP/2 inside HBONE, through tunnel, waypoint and tunnel', () => {
  itWith('h2load', 'to an HTTP/1.1 upstream', async () => {
    const chain = await startChain(workspace, upstream, 'l4-l7-l4')
    try {
      const { stdout } = await run('h2load', ['-n', '500', '-c', '5', '-m', '10', url('http', chain.entry)])
      expect(stdout).toContain('500 succeeded, 0 failed, 0 errored')
      const [, waypoint] = chain.hops
      expect(await waypoint?.image.metric('meshbench_requests_total', '2xx')).toBe(500)
      expect(await waypoint?.image.metric('meshbench_downstream_connections_total')).toBe(5)
    } finally {
      await chain.stop()
    }
  })

  it('to a node:http2 upstream, with trailers and bodies both ways', async () => {
    const server = createServer((request, response) => {
      response.statusCode = 201
      response.addTrailers({ 'x-sum': 'yes' })
      request.pipe(response)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const to = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
    const chain = await startChain(workspace, to, 'l4-l7-l4', { protocol: 'h2' })
    const client = connect(url('http', chain.entry))
    try {
      const stream = client.request({ ':method': 'POST', ':path': '/' })
      stream.end(big)
      let text = ''
      let trailers: IncomingHttpHeaders = {}
      let status: number | undefined
      stream.on('trailers', (got: IncomingHttpHeaders) => (trailers = got))
      stream.on('response', (got: IncomingHttpHeaders & { ':status'?: number }) => (status = got[':status']))
      stream.setEncoding('latin1').on('data', (part: string) => (text += part))
      await once(stream, 'close')
      expect(text).toBe(big)
      expect(status).toBe(201)
      expect(trailers['x-sum']).toBe('yes')
    } finally {
      client.destroy()
      await chain.stop()
      server.close()
    }
  })
})

describe('nginx as the upstream', () => {
  itWith('nginx', 'answers through the proxy as it does directly', async () => {
    const address = await freeAddress()
    workspace.write('page.html', 'p'.repeat(300_000))
    const nginx = await startNginx(
      workspace,
      address,
      `types { text/html html; } gzip on; gzip_min_length 100;
  server {
    listen 127.0.0.1:${address.port};
    location / { root ${workspace.dir}; }
    location /moved { return 301 /page.html; }
    location /empty { return 204; }
  }`,
    )
    const target = await startTestProxy({ clusters: [cluster('server', nginx.address)] })
    try {
      const requests = [
        { path: '/page.html' },
        { path: '/page.html', method: 'HEAD' },
        { path: '/page.html', headers: { range: 'bytes=10-19' } },
        // Compressed on the fly: chunked.
        { path: '/page.html', headers: { 'accept-encoding': 'gzip' } },
        { path: '/moved' },
        { path: '/empty' },
        { path: '/absent' },
        { path: '/page.html', method: 'POST', body: 'x' },
      ]
      const strip = ({ status, headers, body }: Awaited<ReturnType<typeof ask>>) => {
        const { date: _date, connection: _connection, ...rest } = headers
        return { status, headers: rest, body }
      }
      for (const request of requests) {
        // The redirect names the host that was asked for.
        const withHost = { ...request, headers: { host: 'bench.test', ...request.headers } }
        const direct = strip(await ask(nginx.address, withHost))
        expect(strip(await ask(target.address, withHost))).toEqual(direct)
      }
      expect(target.metric('meshbench_requests_total')).toBe(requests.length)
    } finally {
      target.close()
      await nginx.stop()
    }
  })
})
