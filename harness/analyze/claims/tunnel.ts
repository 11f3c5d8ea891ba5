/** The rule of C8: how many handshakes of a tunnel each connection of a client costs. */
import { detectableBy } from '../../stats/location.js'
import { locate, power } from '../../stats/paired.js'
import { alpha, estimateOf, fewestFirm } from '../estimates.js'
import { coarsestOf, handshakesPerConnection, seriesOf, stepPerConnection } from '../readings.js'
import { figure, withInterval } from '../words.js'
import { concluded, wanting, type Rule } from './finding.js'

/** Ten connections over one: a tunnel that shares more badly than this does not do what is claimed. */
const mostHandshakes = 0.1

/** Counted, not compared: no test of a family, so that it takes no power from the others. */
export const judgeC8: Rule = (run, groups, settings) => {
  const [first] = groups
    .flatMap(({ cells }) => cells)
    .filter(({ arm }) => {
      const { path, variant, transport } = run.armOf.get(arm) ?? {}
      return path === 'l4-only' && variant === undefined && transport === undefined
    })
    .flatMap((cell) => {
      const values = [...seriesOf(run, cell.id, handshakesPerConnection).values()]
      return values.length === 0 ? [] : [{ cell, values }]
    })
  if (!first) return undefined
  const { cell, values } = first
  const step = coarsestOf(run, [cell.id], stepPerConnection)
  const visible = detectableBy(locate(values, settings, step / 2), alpha, power)
  const estimate = estimateOf(values, settings, { unit: 'count', positive: true, step, cells: [cell.id] })
  const isFirm = estimate.n >= fewestFirm
  const verdict = !isFirm
    ? 'inconclusive'
    : estimate.high <= mostHandshakes
      ? 'supported'
      : estimate.low > mostHandshakes
        ? 'refuted'
        : 'inconclusive'
  const conclusion = concluded(
    verdict,
    `On ${cell.arm} each connection that the client opened (${cell.loadLabel}) cost the tunnels ${withInterval(estimate, '')} mutual TLS handshakes; one for ten or fewer is what is claimed.${isFirm ? ` The smallest difference from that which this run could have seen is ${figure(visible)}.` : ''}`,
    [['mutual TLS handshakes per connection', estimate]],
    wanting(estimate, mostHandshakes),
  )
  return { pValues: [], conclude: () => conclusion }
}
