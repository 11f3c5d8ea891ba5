/** A small endurance run: long enough for rotations and a reload under load, too short to judge memory. */
import { afterAll, expect, it } from 'vitest'
import { createWorkspace } from '../../kit/testing.js'
import { runEndurance } from './run.js'

const workspace = createWorkspace()
afterAll(() => {
  workspace.remove()
})

it.each([
  { protocol: 'http1', connections: 500, resets: 10 },
  { protocol: 'h2', connections: 150, resets: 0 },
  { protocol: 'grpc', connections: 150, resets: 0 },
] as const)(
  'loses no request and no byte of $protocol while certificates are rotated and configs reloaded',
  async ({ protocol, connections, resets }) => {
    const requests = 40 * connections
    const { totals, accounts } = await runEndurance(workspace, {
      ...{ path: 'l4-l7-l4', protocol, requests, connections, concurrency: 16 },
    })
    expect(totals.errors).toEqual([])
    expect(totals).toMatchObject({ requests, connections, resets })
    expect(accounts.filter(({ expected, counted }) => expected !== counted)).toEqual([])
    expect(accounts.length).toBeGreaterThan(15)
  },
)
