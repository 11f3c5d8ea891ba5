import { expect, it } from 'vitest'
import type { TruthCell } from '../model/truth.js'
import { standingsOf } from './standings.js'
import { defined } from '../model/defined.js'

const tools = [
  { name: 'ours', program: undefined, takesRate: true },
  { name: 'theirs', program: 'theirs', takesRate: true },
  { name: 'closed', program: 'closed', takesRate: false },
]
const right = (value: number, error?: number): TruthCell => ({
  ...{ verdict: 'right', text: '', value, truth: 1000 },
  ...defined({ error }),
})
const placeOf = (question: string, ours: TruthCell, theirs: TruthCell, step = 1) =>
  standingsOf(
    {
      ours: { [question]: ours },
      theirs: { [question]: theirs, resolution: { verdict: 'right', text: '', value: step } },
      closed: { [question]: right(1000) },
    },
    tools,
  ).find((standing) => standing.question === question)

it('the closest to the truth is the closest, whatever side of it', () => {
  expect(placeOf('freeze', right(990, 1), right(1020, 1))).toEqual({
    ...{ engine: 'ours', question: 'freeze', place: 'closest', other: 'theirs' },
  })
})

it('is level within both errors, and behind beyond them', () => {
  expect(placeOf('freeze', right(1010, 5), right(1002, 4))?.place).toBe('level')
  expect(placeOf('freeze', right(1020, 5), right(1002, 4))).toMatchObject({ place: 'behind', by: 18 })
})

it('says why another is closer where that is known, and nothing where it is not', () => {
  expect(placeOf('rate', right(1020, 5), right(1002, 4))?.why).toMatch(/core was taken away/)
  expect(placeOf('adds', right(1020, 5), right(1002, 4))?.why).toMatch(/event loop/)
  expect(placeOf('freeze', right(1020, 5), right(1002, 4))).not.toHaveProperty('why')
  expect(placeOf('rate', right(1003, 5), right(1002, 4))).not.toHaveProperty('why')
})

it('a step that hits the truth does not know it', () => {
  expect(placeOf('freeze', right(1020, 1), right(1000, 1), 100)?.place).toBe('closest')
})

it('without errors both are level when both are right, and verdicts alone are compared where nothing is measured', () => {
  const off: TruthCell = { ...right(1), verdict: 'off' }
  expect(placeOf('slow', right(1040), right(1001))?.place).toBe('level')
  expect(placeOf('slow', off, right(1001))?.place).toBe('behind')
  expect(placeOf('reset', right(5), right(1))?.place).toBe('level')
  expect(placeOf('reset', off, right(1))).toEqual({
    ...{ engine: 'ours', question: 'reset', place: 'behind', other: 'theirs' },
  })
})

it('what an engine cannot be asked is no answer, and what it failed at is one', () => {
  expect(placeOf('rate', { verdict: 'cannot', text: '' }, right(1))).toBeUndefined()
  expect(placeOf('rate', { verdict: 'failed', text: '' }, right(1))?.place).toBe('behind')
  expect(placeOf('rate', right(1), { verdict: 'cannot', text: '' })).toEqual({
    ...{ engine: 'ours', question: 'rate', place: 'closest' },
  })
})
