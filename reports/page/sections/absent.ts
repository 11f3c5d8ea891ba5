/** What this run holds no data on, and what would measure it, a shell's command or words: one folded line on the page. */
import type { View } from '../view.js'
import type { buildClaims } from './claims.js'

export function absentParts(
  view: View,
  claims: ReturnType<typeof buildClaims>,
  present: ReadonlySet<string>,
) {
  const experiments = new Set(view.loads.map(({ experiment }) => experiment))
  const asks = (what: string, flags: string, there: boolean) =>
    there ? [] : [{ what, command: `npm run bench -- ${flags}`, words: '' }]
  return [
    ...asks('How latency grows with the rate', '--rate 500 1000 2000', present.has('latency_vs_rate')),
    ...asks('The largest rate that keeps a promise on p99', '--experiment capacity', present.has('knee')),
    ...asks('What the arms carry at most', '--experiment saturation', present.has('capacity')),
    ...asks('Rate, connections and payload, each by itself', '--experiment sweep', experiments.has('sweep')),
    ...asks('What a new connection costs', '--experiment connect', experiments.has('connect')),
    ...asks('What long transfers cost', '--experiment stream', experiments.has('stream')),
    ...asks('What each function of a hop costs by itself', '--function all', present.has('functions')),
    ...(present.has('fleet')
      ? []
      : [
          {
            what: 'What it comes to in your fleet',
            command:
              'npm run meshbench -- report <run> --fleet requestsPerSecond=20000,pods=400,nodes=20,waypoints=2',
            words: '',
          },
        ]),
    ...claims.map(({ id, claim, next }) => ({ what: `${id}. ${claim}`, command: '', words: next })),
  ]
}
