/** Which Envoy an arm runs on, from what that says of itself. */
import { expect, test } from 'vitest'
import { readTestdata } from '../clusters/testing.js'
import { parseBuild } from './build.js'

/** What a stock Envoy in a sidecar said to `pilot-agent request GET server_info`, a warning of pilot-agent before it. */
const stock = readTestdata('istio/server-info-stock.txt')

test.each([
  [stock, { name: 'stock Envoy 1.40', means: "an Envoy without Istio's own filters" }],
  // Istio's proxy has these besides (istio/proxy, source/extensions).
  [
    stock.replace(
      '"extensions":[',
      '"extensions":[{"name":"istio.stats","category":"envoy.filters.http"},{"name":"envoy.filters.http.peer_metadata","category":"envoy.filters.http"},',
    ),
    { name: "Istio's proxy 1.29.1" },
  ],
  ['', undefined],
  ['Error: not found', undefined],
  ['{"version":"x"}', undefined],
])('%#', (text, build) => expect(parseBuild(text)).toEqual(build))
