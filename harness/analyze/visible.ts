/** The smallest difference that a run could have seen, which stands beside every verdict: with 80 % power at its level. Pure. */
import { figureOf, isAdded, metrics } from '../../scenarios/registry.js'
import type { Analysis, Comparison, Estimate } from '../model.js'
import { fewestFirm } from './estimates.js'
import { figure, unitText } from './words.js'

/** As a share of what the other arm has; undefined where nothing tells what it is a share of, and of too few rounds, which see nothing. */
export function visibleShare(
  { cells }: Pick<Analysis, 'cells'>,
  { versus, experiment, loadLabel, metric, percentile, detectable, difference }: Comparison,
): number | undefined {
  if (difference.n < fewestFirm) return undefined
  const cell = cells.find(
    (known) => known.arm === versus && known.experiment === experiment && known.loadLabel === loadLabel,
  )
  const asked = metrics.get(metric)
  const reference = cell && asked && !isAdded(asked) ? figureOf(cell, asked, percentile)?.value : undefined
  return reference !== undefined && reference > 0 && detectable > 0 ? detectable / reference : undefined
}

/** `4.2 %` of a ratio, `0.031 ms` of a difference. */
export function visibleText(visible: number, unit: Estimate['unit']): string {
  if (unit === 'ratio' || unit === 'share') return `${figure(visible * 100)} %`
  return [figure(visible), unitText[unit]].filter(Boolean).join(' ')
}

/** What the A/A comparison says of the first load: `0.021 ms at p50, 0.4 ms at p99, 12 ms of CPU per 1 000 requests`. */
export function visibleFloor({ noise }: Pick<Analysis, 'noise'>): string | undefined {
  const visible = noise[0]?.visible
  if (!visible) return undefined
  const { latencyP50, latencyP99, cpu } = visible
  return [
    `${figure(latencyP50)} ms at p50`,
    ...(latencyP99 === undefined ? [] : [`${figure(latencyP99)} ms at p99`]),
    ...(cpu === undefined ? [] : [`${figure(cpu)} ms of CPU per 1 000 requests`]),
  ].join(', ')
}

/** For the end of a verdict. */
export function visibleSentence(visible: number | undefined, unit: Estimate['unit']): string {
  return visible === undefined
    ? ''
    : ` The smallest difference that this run could have seen is ${visibleText(visible, unit)}.`
}
