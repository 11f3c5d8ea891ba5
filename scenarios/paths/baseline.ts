/** No mesh at all: what every other path is compared with. */
import type { Path } from '../../harness/model.js'

export const baseline: Path = {
  name: 'baseline',
  label: 'Baseline',
  summary: 'client → server, no mesh',
  colour: { light: '#6b7280', dark: '#a3a9b3' },
  hops: [],
  legs: ['plain'],
}
