import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { withScope } from '../../../harness/testing/scope.js'
import { createReach } from './reach.js'

it('has a socket for each network in the folder of the run, however long the path of that is', () =>
  withScope('r', async (scope) => {
    const stateDir = join(scope.stateDir, 'a'.repeat(60), 'b'.repeat(60))
    await mkdir(stateDir, { recursive: true })
    const server = createServer((socket) => socket.end('reached')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const here = { enter: (argv: readonly string[]) => argv }
    for (const name of ['reach-100.sock', 'reach-101.sock']) {
      const connect = await createReach(here, name, { ...scope, stateDir })
      expect(await text(connect({ host: '127.0.0.1', port }) as unknown as AsyncIterable<Buffer>)).toBe(
        'reached',
      )
    }
    expect(await readdir(stateDir)).toEqual(['reach-100.sock', 'reach-101.sock'])
    server.close()
  }))
