import { expect, test } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import { isClear } from './wire.js'

test('what reaches the server’s node is clear where no hop before it encrypts', () => {
  const clear = (['l7-per-node', 'baseline'] as const).map((name) => isClear(paths[name]))
  const encrypted = (['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'ingress'] as const).map((name) =>
    isClear(paths[name]),
  )
  expect([...clear, ...encrypted]).toEqual([true, true, false, false, false, false])
})
