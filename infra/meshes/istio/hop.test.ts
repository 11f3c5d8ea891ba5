import { expect, test } from 'vitest'
import type { Arm } from '../../../harness/model.js'
import { paths } from '../../../scenarios/paths/index.js'
import { transcriptCluster } from '../testdata/transcript-cluster.js'
import { bindHop } from './hop.js'

test('a script that acts on a spare ztunnel acts on that of a node which the path does not cross', () => {
  const stoodIn = (name: 'l4-only' | 'l4-l7-l4', which?: 'spare') => {
    const found: unknown[] = []
    const cluster = transcriptCluster('', { bind: (_, __, standIn) => void found.push(standIn?.nodeName) })
    const path = paths[name]
    const arm: Arm = {
      ...{ id: 'a', mesh: 'istio-ambient', path: name, role: 'subject', environment: 'e', baseline: 'b' },
      ...(which ? { copy: { of: 'a', which } } : {}),
    }
    for (const hop of path.hops) bindHop('ambient', { arm, path }, hop, cluster.objectsOf(arm), cluster)
    return found
  }
  expect(stoodIn('l4-only')).toEqual([undefined, undefined])
  expect(stoodIn('l4-only', 'spare')).toEqual(['meshbench-worker3', 'meshbench-worker3'])
  // The waypoint is the arm's own; its node is crossed.
  expect(stoodIn('l4-l7-l4', 'spare')).toEqual([
    'meshbench-control-plane',
    undefined,
    'meshbench-control-plane',
  ])
})
