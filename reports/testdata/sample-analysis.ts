/** A seeded, hand-shaped Analysis, so that the report can be built and tested without a journal. */
import type {
  Analysis,
  Arm,
  BillRow,
  CellAnalysis,
  Comparison,
  Component,
  CurvePoint,
  Estimate,
  LoadSpec,
  Path,
  TrialSummary,
} from '../../harness/model.js'
import { defined } from '../../harness/model/defined.js'

/** Small fast generator with a known period; enough for test data. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export const samplePaths: readonly Path[] = [
  { name: 'baseline', label: 'baseline', summary: 'Client straight to server.', colour: { light: '#6b6b6b', dark: '#a3a3a3' }, hops: [], legs: ['plain'] },
  {
    name: 'l4-only', label: 'L4-only', summary: 'Two tunnels, HBONE between them.', colour: { light: '#2f8fc6', dark: '#56b4e9' },
    hops: [
      { name: 'client-tunnel', role: 'tunnel-outbound', layer: 'l4', node: 'client' },
      { name: 'server-tunnel', role: 'tunnel-inbound', layer: 'l4', node: 'server' },
    ],
    legs: ['plain', 'hbone', 'plain'],
  },
  {
    name: 'l7-sidecar-to-sidecar', label: 'L7-L7', summary: 'Two sidecars, mutual TLS between them.', colour: { light: '#d55e00', dark: '#e8762c' },
    hops: [
      { name: 'client-sidecar', role: 'sidecar-outbound', layer: 'l7', node: 'client' },
      { name: 'server-sidecar', role: 'sidecar-inbound', layer: 'l7', node: 'server' },
    ],
    legs: ['plain', 'mtls', 'plain'],
  },
  {
    name: 'l4-l7-l4', label: 'L4-L7-L4', summary: 'Tunnel, waypoint, tunnel.', colour: { light: '#009e73', dark: '#1fbf93' },
    hops: [
      { name: 'client-tunnel', role: 'tunnel-outbound', layer: 'l4', node: 'client' },
      { name: 'waypoint-proxy', role: 'waypoint', layer: 'l7', node: 'waypoint' },
      { name: 'server-tunnel', role: 'tunnel-inbound', layer: 'l4', node: 'server' },
    ],
    legs: ['plain', 'hbone', 'hbone', 'plain'],
  },
  {
    name: 'l7-per-node', label: 'per-node L7', summary: 'One shared proxy of the node.', colour: { light: '#b87700', dark: '#e69f00' },
    hops: [{ name: 'node-proxy', role: 'per-node', layer: 'l7', node: 'server' }],
    legs: ['plain', 'plain'],
  },
]

const added: Record<string, { p50: number; cpu: number; mem: number }> = {
  baseline: { p50: 0, cpu: 0, mem: 0 },
  'l4-only': { p50: 0.11, cpu: 51, mem: 98 },
  'l7-sidecar-to-sidecar': { p50: 0.42, cpu: 142, mem: 131 },
  'l4-l7-l4': { p50: 0.31, cpu: 104, mem: 163 },
  'l7-per-node': { p50: 0.22, cpu: 68, mem: 66 },
}
const tail: Record<string, number> = { '50': 1, '90': 1.5, '99': 2.6, '99.9': 5.5 }

export interface SampleOptions {
  readonly seed?: number
  readonly rounds?: number
  readonly rates?: readonly number[]
  readonly meshes?: readonly string[]
  readonly outcome?: Analysis['outcome']
}

/** An analysis of `meshes` × five paths (+ twin) × `rates`, each with `rounds` trials. */
export function sampleAnalysis(options: SampleOptions = {}): Analysis {
  const { seed = 1, rounds = 12, rates = [500, 1000], meshes = ['reference'], outcome = 'complete' } = options
  const random = mulberry32(seed)
  const wiggle = (scale: number) => (random() + random() + random() - 1.5) * scale
  const estimate = (value: number, half: number, unit: Estimate['unit'], cells: readonly string[]): Estimate => ({
    value, unit, low: value - half, high: value + half * 1.1, level: 0.95, n: rounds,
    method: 'paired Hodges-Lehmann, bootstrap percentile, 2000 resamples', cells,
  })
  const arms: Arm[] = [
    { id: 'none/baseline', mesh: 'none', path: 'baseline', role: 'baseline', environment: 'local', baseline: 'none/baseline' },
    { id: 'none/baseline-twin', mesh: 'none', path: 'baseline', role: 'twin', environment: 'local', baseline: 'none/baseline' },
    ...meshes.flatMap((mesh) =>
      samplePaths.slice(1).map((path): Arm => ({ id: `${mesh}/${path.name}`, mesh, path: path.name, role: 'subject', environment: 'local', baseline: 'none/baseline' })),
    ),
  ]
  const load = (rate: number): LoadSpec => ({
    engine: 'open-loop', model: 'open', protocol: 'http1', ratePerSecond: rate, arrival: 'uniform', connections: 16,
    warmupMs: 500, durationMs: 2000, payloadBytes: 1024, timeoutMs: 5000,
  })
  const label = (rate: number) => `${rate}/s c16 1024B http1`
  const cellId = (arm: string, rate: number) => `latency|${arm}|${label(rate)}`
  const cells: CellAnalysis[] = []
  const comparisons: Comparison[] = []
  const trials: TrialSummary[] = []
  const components: Component[] = [
    { name: 'loadgen', category: 'generator', node: 'client' },
    { name: 'echo', category: 'application', node: 'server' },
  ]
  for (const arm of arms) {
    const path = samplePaths.find(({ name }) => name === arm.path)!
    for (const hop of path.hops) {
      components.push({ name: `${arm.id}/${hop.name}`, arm: arm.id, hop: hop.name, category: hop.layer, node: hop.node })
    }
  }
  for (const rate of rates) {
    for (const arm of arms) {
      const path = samplePaths.find(({ name }) => name === arm.path)!
      const extra = added[arm.path]!
      const scale = 1 + meshes.indexOf(arm.mesh) * 0.15 * (meshes.indexOf(arm.mesh) > 0 ? 1 : 0)
      const busy = 1 + rate / 4000
      const id = cellId(arm.id, rate)
      const p = (q: string) => (0.35 * tail[q]! + extra.p50 * scale * tail[q]! * 0.8 + (q === '50' ? extra.p50 * 0.2 : 0)) * busy
      const response = Object.fromEntries(Object.keys(tail).map((q) => [q, estimate(p(q) + wiggle(0.004), 0.01 * tail[q]!, 'ms', [id])]))
      const curve: CurvePoint[] = [1, 5, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99].map((percentile) => {
        const nines = -Math.log10(1 - percentile / 100)
        const ms = p('50') * (0.8 + 0.25 * nines ** 2.2)
        return { percentile, ms, lowMs: ms * (1 - 0.02 * nines), highMs: ms * (1 + 0.03 * nines) }
      })
      const each = extra.cpu * scale
      const weight = path.hops.map((hop) => (hop.layer === 'l7' ? 3 : 1))
      const sum = weight.reduce((a, b) => a + b, 0)
      const bill: BillRow[] = [
        { component: 'echo', category: 'application', cpu: estimate(38 + wiggle(1), 1, 'ms', [id]), cpuUserShare: 0.6, memory: estimate(55, 0.5, 'MiB', [id]) },
        ...path.hops.map((hop, i): BillRow => ({
          component: `${arm.id}/${hop.name}`, category: hop.layer, layer: hop.layer, hop: hop.name,
          cpu: estimate((each * weight[i]!) / sum, 1.2, 'ms', [id]), cpuUserShare: 0.7, memory: estimate((extra.mem * weight[i]!) / sum, 1.5, 'MiB', [id]),
        })),
        { component: 'loadgen', category: 'generator', cpu: estimate(61 + wiggle(1), 1.5, 'ms', [id]), cpuUserShare: 0.65, memory: estimate(70, 1, 'MiB', [id]) },
        { component: 'orchestrator', category: 'orchestrator', cpu: estimate(3, 0.5, 'ms', [id]) },
        { component: 'unaccounted', category: 'unaccounted', cpu: estimate(14 + path.hops.length * 3 + wiggle(1), 2, 'ms', [id]) },
      ]
      cells.push({
        cell: id, experiment: 'latency', arm: arm.id, load: load(rate), loadLabel: label(rate), trials: { ok: rounds, invalid: 0, failed: 0 },
        response, service: response, curve, throughput: estimate(rate * 0.999, 0.3, 'req/s', [id]),
        cpu: estimate(52 + each + path.hops.length * 3, 2, 'ms', [id]),
        ...(path.hops.length > 0 ? { hopCpu: estimate(each, 1.5, 'ms', [id]), hopMemory: estimate(extra.mem, 2, 'MiB', [id]) } : {}),
        bill, billGapShare: 0.012, errorShare: 0,
      })
      for (let round = 0; round < rounds; round++) {
        const bad = round === 3 && arm.path === 'l7-per-node' && rate === rates[0]
        trials.push({
          index: trials.length, round, cell: id, arm: arm.id, experiment: 'latency', attempt: 0, state: bad ? 'invalid' : 'ok',
          startedAt: new Date(Date.UTC(2026, 10, 22, 10, 4, 31) + trials.length * 2600).toISOString(),
          p50Ms: p('50') * (1 + wiggle(0.05)), p99Ms: p('99') * (1 + wiggle(0.12)), achievedRatePerSecond: rate * (1 + wiggle(0.001)),
          cpuMsPer1000: 52 + each + wiggle(3), sendLagP99Us: 80 + wiggle(30), generatorCpuShare: rate / 8000 + wiggle(0.01), sent: rate * 2, unsent: 0, errors: 0,
          reasons: bad ? ['send lag p99 3 200 µs is above 2 000 µs'] : [], warnings: [], proofFailures: [],
        })
      }
      if (arm.role === 'baseline') continue
      const base = cellId(arm.baseline, rate)
      const baseline = cells.find((cell) => cell.cell === base)!
      const compare = (metric: Comparison['metric'], mine: Estimate, theirs: Estimate, percentile?: number): void => {
        const difference = mine.value - theirs.value
        const half = 0.02 * theirs.value + 0.004
        const ratio = mine.value / theirs.value
        const spread = half / theirs.value
        comparisons.push({
          id: `${metric}|${percentile ?? ''}|${id}`, metric, ...defined({ percentile }), experiment: 'latency', loadLabel: label(rate), arm: arm.id, versus: arm.baseline,
          difference: estimate(difference, half, mine.unit, [id, base]), ratio: estimate(ratio, spread, 'ratio', [id, base]),
          verdict: Math.abs(difference) < half ? 'inconclusive' : difference > 0 ? 'worse' : 'better', pValue: Math.abs(difference) < half ? 0.6 : 0.0004, detectable: half * 1.4,
        })
      }
      for (const q of Object.keys(tail)) compare('latency.added', response[q]!, baseline.response![q]!, Number(q))
      const cell = cells[cells.length - 1]!
      if (arm.role === 'subject') compare('cpu.added', cell.cpu!, baseline.cpu!)
    }
  }
  const cpuOf = (arm: string) => cells.find((cell) => cell.arm === arm && cell.load.ratePerSecond === rates.at(-1))!
  const last = rates.at(-1)!
  const pair = [cellId(`${meshes[0]}/l4-l7-l4`, last), cellId(`${meshes[0]}/l7-sidecar-to-sidecar`, last)]
  const c1 = cpuOf(`${meshes[0]}/l4-l7-l4`).cpu!.value / cpuOf(`${meshes[0]}/l7-sidecar-to-sidecar`).cpu!.value
  const ratioC1 = estimate(c1, 0.04, 'ratio', pair)
  comparisons.push({
    id: 'c1', metric: 'cpu.per1000Requests', experiment: 'latency', loadLabel: label(last), arm: `${meshes[0]}/l4-l7-l4`, versus: `${meshes[0]}/l7-sidecar-to-sidecar`,
    difference: estimate(-38, 4, 'ms', pair), ratio: ratioC1, verdict: 'better', pValue: 0.001, detectable: 5,
  })
  const proof = (name: string, n: string) => ({ name, ok: true, expected: n, actual: n, trials: rounds })
  return {
    schema: 1, version: '0.1.0', runId: '2026-11-22T10-04-31-l4l7', startedAt: '2026-11-22T10:04:31.000Z', endedAt: '2026-11-22T10:07:11.000Z', outcome,
    command: ['run', '--seed', '1', '--profile', 'quick'], planHash: '3f1c'.repeat(16),
    config: {
      seed: 1, profile: 'quick', platform: 'local', arms: Object.fromEntries(meshes.map((mesh) => [mesh, samplePaths.slice(1).map((path) => path.name)])),
      experiments: { latency: { ratesPerSecond: rates, connections: 16, payloadBytes: 1024 } },
      rounds: { min: 8, max: 40, untilEffect: 0.05, budgetMinutes: 3 }, thresholds: [],
      cost: { perVcpuHour: 0.04, perGibHour: 0.005, currency: 'USD' }, meshSettings: {}, platformSettings: {},
      validity: { minAchievedShare: 0.98, maxSendLagP99Us: 2000, maxGeneratorCpuShare: 0.9, maxErrorShare: 0.001, maxStealShare: 0.02, maxForeignCpuShare: 0.1 },
      outDir: 'results',
    },
    host: {
      hostKey: 'a1b2c3d4e5f6a7b8', cpuModel: 'Sample CPU 2.6 GHz', cpus: 2, memoryBytes: 24696061952, kernel: '6.18.0', os: 'Linux', arch: 'x64', cgroup: 'v1',
      node: 'v20.20.2', loadAverage1m: 0.42, bundles: { echo: 'aa'.repeat(32), tunnel: 'bb'.repeat(32), proxy: 'cc'.repeat(32), loadgen: 'dd'.repeat(32) },
    },
    facts: [{ name: 'platform', value: 'plain processes on loopback' }],
    arms, paths: samplePaths, components, cells, comparisons,
    noise: rates.map((rate) => ({
      environment: 'local', loadLabel: label(rate), experiment: 'latency',
      latencyP50: estimate(0.002, 0.009, 'ms', [cellId('none/baseline-twin', rate), cellId('none/baseline', rate)]),
      latencyP99: estimate(0.01, 0.04, 'ms', [cellId('none/baseline-twin', rate), cellId('none/baseline', rate)]),
      cpu: estimate(0.3, 1.1, 'ms', [cellId('none/baseline-twin', rate), cellId('none/baseline', rate)]), differs: false,
    })),
    increments: meshes.flatMap((mesh) => [
      { title: 'two L4 hops', fromArm: 'none/baseline', toArm: `${mesh}/l4-only`, latencyP50: estimate(0.11, 0.01, 'ms', [cellId(`${mesh}/l4-only`, last)]), cpu: estimate(51, 2, 'ms', [cellId(`${mesh}/l4-only`, last)]) },
      { title: 'one L7 hop between them', fromArm: `${mesh}/l4-only`, toArm: `${mesh}/l4-l7-l4`, latencyP50: estimate(0.2, 0.02, 'ms', [cellId(`${mesh}/l4-l7-l4`, last)]), cpu: estimate(53, 3, 'ms', [cellId(`${mesh}/l4-l7-l4`, last)]) },
    ]),
    claims: [
      { id: 'C1', claim: 'Two L7 hops cost more than L4-L7-L4, although the second has an extra hop.', verdict: 'supported', sentence: 'L4-L7-L4 used 0.81 times the CPU of L7-L7 (0.77 to 0.85).', figures: [{ label: 'CPU ratio', estimate: ratioC1 }] },
      { id: 'C2', claim: 'Traffic that needs only L4 should not pay for L7.', verdict: 'inconclusive', sentence: 'L4-only used 0.5 times the CPU of L7-L7 (0.4 to 1.1).', figures: [], next: 'about 30 more rounds' },
      { id: 'C4', claim: 'With sidecars, mesh memory and CPU grow linearly with application replicas.', verdict: 'no data', sentence: 'This run has no replicas to compare.', figures: [], next: 'run the footprint experiment' },
    ],
    thresholds: [
      { threshold: { metric: 'cpu.per1000Requests', arm: `${meshes[0]}/l4-l7-l4`, relativeTo: `${meshes[0]}/l7-sidecar-to-sidecar`, max: 1 }, experiment: 'latency', loadLabel: label(last), state: 'pass', expected: 'at most 1', actual: ratioC1, sentence: 'CPU per 1 000 requests of L4-L7-L4 is at most that of L7-L7.' },
    ],
    trials,
    proofs: Object.fromEntries(arms.map((arm) => [arm.id, [proof('requests at echo', '2000'), ...(samplePaths.find((path) => path.name === arm.path)!.hops.map((hop) => proof(`requests at ${hop.name}`, '2000')))]])),
    failures: {}, rounds: { planned: rounds, done: rounds }, warnings: [],
  }
}
