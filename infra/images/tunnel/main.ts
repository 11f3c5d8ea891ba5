/** The L4 hop: carries TCP over HBONE and back, as a ztunnel does. */
import { runImage } from '../kit/process/image.js'
import { tunnelSchema, verifyTunnel } from './config.js'
import { startTunnel } from './tunnel.js'

await runImage({ name: 'tunnel', schema: tunnelSchema, verify: verifyTunnel, start: startTunnel })
