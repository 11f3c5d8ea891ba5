import { expect, test } from 'vitest'
import { analyze } from '../../../harness/analyze/analyze.js'
import { withFleet } from '../../../harness/analyze/cells/fleet.js'
import { syntheticJournal } from '../../../harness/testdata/synthetic-journal.js'
import { createFigureBook } from '../../page/figures.js'
import { fleetAnswer } from '../../page/sections/cost.js'
import { createView } from '../../page/view.js'
import { fleet } from './fleet.js'

const asked = { requestsPerSecond: 10_000, pods: 1000, nodes: 50, waypoints: 4 }
const entries = syntheticJournal({ experiments: ['latency'], ratesPerSecond: [1000], rounds: 12 })
const viewOf = (of = asked) => createView(analyze(withFleet(entries, of)))
const textOf = (html: string) => html.replace(/<[^>]*>/g, '').replaceAll('\u202f', ' ')

test('the chart names what costs the least, and its table has every arm with hops, cores, memory and money', () => {
  const chart = fleet(viewOf(), createFigureBook())!
  expect(chart.title).toMatch(/^L7 per node costs the least of the paths with L7: 3\d\.\d USD a month$/)
  expect(chart.caption.replaceAll('\u202f', ' ')).toContain(
    'at 10 000 requests/s on 1 000 pods, 50 nodes and 4 waypoints',
  )
  expect(chart.caption).toContain('Not like for like: L7 per node does not encrypt, the others do.')
  const rows = chart.table.rows.map((row) =>
    row.map((cell) => (typeof cell === 'string' ? cell : textOf(cell.html))),
  )
  expect(rows).toHaveLength(4)
  const ambient = rows.find(([arm]) => arm === 'L4-L7-L4')!
  expect(ambient[1]).toBe('50, one a node; 4, one a waypoint')
  expect(ambient[2]).toMatch(/^1\.6\d* \(/)
  expect(chart.table.columns.at(-1)!.replaceAll('\u202f', ' ')).toBe('USD a month at 100 000 requests/s')
})

test('the answer tells paths with L7 from those without, and what is not told apart', () => {
  const answer = textOf(fleetAnswer(viewOf(), createFigureBook()))
  expect(answer).toMatch(/^With L7 in the path L7 per node comes to the least, 3\d/)
  expect(answer).toMatch(/L7-L7 5\d\d % more \(.*Without L7 L4 only comes to \d/)
  // Alike in memory and next to no traffic: nothing tells one from the other.
  const alike = viewOf({ requestsPerSecond: 1, pods: 50, nodes: 50, waypoints: 1 })
  expect(textOf(fleetAnswer(alike, createFigureBook()))).toMatch(/L7-L7 .*, which is not told from it/)
})

test('without a fleet there is no chart', () => {
  expect(fleet(createView(analyze(entries)), createFigureBook())).toBeUndefined()
})
