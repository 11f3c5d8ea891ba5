/** A proxy of several workers, seen from outside as one: connections spread, metrics added up, reload and drain of all. */
import { once } from 'node:events'
import { Agent } from 'node:http'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ListenerAddress } from '../../kit/net/address.js'
import { type RunningImage, createWorkspace, startImage, trustDomain } from '../../kit/testing.js'
import { type TestUpstream, ask, cluster, startUpstream } from './testing.js'

const workspace = createWorkspace()
const configName = 'proxy.json'
const agents: Agent[] = []
let before: TestUpstream
let after: TestUpstream
let proxy: RunningImage
let entry: ListenerAddress

const config = (upstream: TestUpstream) => ({
  admin: { host: '127.0.0.1', port: 0 },
  trustDomain,
  workers: 2,
  listeners: [{ name: 'downstream', host: '127.0.0.1', port: 0, transport: 'plain' }],
  clusters: [cluster('server', upstream)],
  routes: [{ match: {}, cluster: 'server' }],
})
const answering =
  (text: string): Parameters<typeof startUpstream>[0] =>
  (request, response) => {
    setTimeout(() => response.end(text), request.url === '/slow' ? 500 : 0)
  }
/** A client that keeps its connection, and so its worker. */
const keptAgent = (): Agent => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agents.push(agent)
  return agent
}

beforeAll(async () => {
  before = await startUpstream(answering('before'))
  after = await startUpstream(answering('after'))
  proxy = await startImage('proxy', workspace, config(before), { configName })
  entry = proxy.listeners['downstream'] as ListenerAddress
})
afterAll(async () => {
  for (const agent of agents) agent.destroy()
  await proxy.stop('SIGKILL')
  before.close()
  after.close()
  workspace.remove()
})

it('spreads connections over the workers and adds up their metrics', async () => {
  const clients = Array.from({ length: 10 }, keptAgent)
  for (let round = 0; round < 3; round++) {
    // One request at a time: each worker needs one upstream connection, and no other worker can use it.
    for (const agent of clients) expect((await ask(entry, { agent })).body).toBe('before')
  }
  expect(await proxy.metric('meshbench_upstream_connections_total')).toBe(2)
  expect(await proxy.metric('meshbench_downstream_connections_total')).toBe(10)
  expect(await proxy.metric('meshbench_requests_total', '2xx')).toBe(30)
})

it('reloads in every worker without losing a request', async () => {
  const clients = Array.from({ length: 4 }, keptAgent)
  let isOver = false
  let answered = 0
  const load = clients.map(async (agent) => {
    while (!isOver) {
      expect((await ask(entry, { agent })).status).toBe(200)
      answered++
    }
  })
  writeFileSync(join(workspace.dir, configName), JSON.stringify(config(after)))
  proxy.process.kill('SIGHUP')
  for (;;) {
    const bodies = await Promise.all(clients.map(async () => (await ask(entry)).body))
    if (bodies.every((body) => body === 'after')) break
    await sleep(50)
  }
  isOver = true
  await Promise.all(load)
  expect(answered).toBeGreaterThan(0)
  expect(await proxy.metric('meshbench_config_reloads_total', 'ok')).toBeGreaterThanOrEqual(2)
  for (const agent of clients) expect((await ask(entry, { agent })).body).toBe('after')
})

it('drains all workers: what is in flight is answered, and the exit code is 0', async () => {
  const inFlight = Array.from({ length: 4 }, () => ask(entry, { path: '/slow' }))
  while (after.seen.filter(({ url }) => url === '/slow').length < 4) await sleep(10)
  const exited = once(proxy.process, 'exit')
  proxy.process.kill('SIGTERM')
  expect((await Promise.all(inFlight)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect(await exited).toEqual([0, null])
  await expect(ask(entry)).rejects.toThrow()
})
