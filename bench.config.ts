import { defineConfig } from './harness/config.js'

export default defineConfig({
  seed: 1,
  platform: 'local',
  // The baseline, and its twin for the noise floor, are always measured.
  arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'] },
  experiments: {
    latency: { ratesPerSecond: [1000], connections: 16, payloadBytes: 1024 },
    capacity: { connections: 16, payloadBytes: 1024 },
  },
  thresholds: [{ metric: 'errors.share', arm: 'reference/l4-l7-l4', max: 0 }],
})
