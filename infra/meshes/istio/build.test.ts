/** Which Envoy an arm runs on, from what that says of itself. */
import { expect, test } from 'vitest'
import { parseBuild } from './build.js'

const info = (version: string, extensions: readonly string[]) =>
  `2026-11-28T09:41:19.463013Z\twarn\tOS CA Cert could not be found for agent\n${JSON.stringify({
    version,
    state: 'LIVE',
    node: {
      metadata: { ISTIO_VERSION: '1.31.1' },
      extensions: extensions.map((name) => ({ name, category: 'envoy.filters.http' })),
    },
  })}`

test.each([
  [
    info('9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL', [
      'envoy.filters.http.router',
      'envoy.filters.http.set_metadata',
    ]),
    { name: 'stock Envoy 1.40', means: "an Envoy without Istio's own filters" },
  ],
  [
    info('73fe04a1f9b0c1bf6d6d3a8a23ab1a0a0be7a2ab/1.40.1-dev/Clean/RELEASE/BoringSSL', [
      'envoy.filters.http.router',
      'istio.stats',
      'envoy.filters.http.peer_metadata',
    ]),
    { name: "Istio's proxy 1.31.1" },
  ],
  ['', undefined],
  ['Error: not found', undefined],
  ['{"version":"x"}', undefined],
])('%#', (text, build) => expect(parseBuild(text)).toEqual(build))
