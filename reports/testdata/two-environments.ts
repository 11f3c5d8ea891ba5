/** Two meshes of which each has an environment, a baseline and a noise floor of its own, as on kind; the second is noisy. */
import type { Analysis } from '../../harness/model.js'
import { sampleAnalysis } from './sample-analysis.js'

export function twoEnvironments(): Analysis {
  const [quiet, noisy] = ['istio-ambient', 'cilium'].map((mesh) => {
    const text = JSON.stringify(sampleAnalysis({ meshes: [mesh], rates: [1000] }))
      .replaceAll('none/baseline', `${mesh}/baseline`)
      .replaceAll('"environment":"local"', `"environment":"kind/${mesh}"`)
    return JSON.parse(text) as Analysis
  }) as [Analysis, Analysis]
  const floors = noisy.noise.map((floor) => ({
    ...floor,
    latencyP50: { ...floor.latencyP50, value: 7.77, low: 7.5, high: 8 },
    differs: true,
  }))
  return {
    ...quiet,
    config: { ...quiet.config, platform: 'kind' },
    arms: [...quiet.arms, ...noisy.arms],
    cells: [...quiet.cells, ...noisy.cells],
    comparisons: [...quiet.comparisons, ...noisy.comparisons],
    trials: [...quiet.trials, ...noisy.trials],
    noise: [...quiet.noise, ...floors],
  }
}
