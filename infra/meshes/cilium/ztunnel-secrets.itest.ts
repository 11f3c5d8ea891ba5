/** Real keys, which take seconds to make on a busy machine. */
import { expect, test } from 'vitest'
import { ztunnelSecrets } from './ztunnel-secrets.js'

test("the keys of Cilium's ztunnel are under the names that it looks for", async () => {
  const data = (await ztunnelSecrets()).stringData as Record<string, string>
  expect(Object.keys(data)).toEqual([
    'bootstrap-private.key',
    'bootstrap-root.crt',
    'ca-private.key',
    'ca-root.crt',
  ])
  expect(data['ca-private.key']).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  expect(data['ca-root.crt']).toMatch(/^-----BEGIN CERTIFICATE-----/)
})
