/** Answers "what does the first connection take?": what no handshake before it has paid for. */
import { firstAdded, firstLoads } from '../../../scenarios/experiments/first-packet.js'
import type { ChartBuilder } from '../chart.js'
import { acrossLoads } from './across-loads.js'

export const firstConnection: ChartBuilder = (view, book) =>
  acrossLoads(view, book, {
    experiment: 'first-packet',
    title: 'What the first connection takes beyond those behind it',
    caption:
      'Response time of the first request through a hop that has just started, less the median of later ones. A path without handshakes shows what is the program’s own start.',
    metric: firstAdded,
    loads: { [firstLoads.cold]: 'knows nobody', [firstLoads.nothing]: 'spare starts' },
  })
