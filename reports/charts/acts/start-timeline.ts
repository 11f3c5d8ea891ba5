/** Answers "what does an application lose while its mesh comes up?": from its first instant until its requests are answered. */
import { readiness, startLoads, unserved } from '../../../scenarios/experiments/startup.js'
import type { ChartBuilder } from '../chart.js'
import { acrossLoads } from './across-loads.js'

export const startTimeline: ChartBuilder = (view, book) =>
  acrossLoads(view, book, {
    experiment: 'startup',
    title: 'From an application’s first instant until its requests are answered',
    caption:
      'Bars: until what the workload brings was ready. Ticks: until requests were answered, counted from the application’s first instant; a new connection for each.',
    metric: unserved,
    behind: readiness,
    loads: {
      [startLoads.together]: 'started together',
      [startLoads.before]: 'waits for its hop',
      [startLoads.nothing]: 'spare starts',
    },
  })
