/** The L7 hop: a sidecar, a waypoint, a per-node proxy or an ingress, by its config. */
import { runImage } from '../kit/process/image.js'
import { proxySchema, verifyProxy } from './config.js'
import { startProxy } from './proxy.js'

await runImage({ name: 'proxy', schema: proxySchema, verify: verifyProxy, start: startProxy })
