import { expect, test } from 'vitest'
import { UserError } from '../model/errors.js'
import { readFleet } from './fleet.js'
import { resolveConfig } from './resolve-config.js'

const arms = { reference: ['l4-only'] }

test('a fleet on the command line is what the config has as cost.fleet, with one waypoint unless it says how many', () => {
  const text = 'requestsPerSecond=0.5, pods=400,nodes=20'
  const fleet = { requestsPerSecond: 0.5, pods: 400, nodes: 20, waypoints: 1 }
  expect(readFleet(text)).toEqual({ value: fleet, problems: [] })
  expect(resolveConfig({ arms }, { fleet: text }).cost).toMatchObject({ perVcpuHour: 0.04, fleet })
  const written = { requestsPerSecond: 1, pods: 1, nodes: 1 }
  expect(resolveConfig({ arms, cost: { fleet: written } }).cost.fleet).toEqual({ ...written, waypoints: 1 })
  // The flag is laid over what the config says.
  expect(resolveConfig({ arms, cost: { fleet: written } }, { fleet: text }).cost.fleet).toEqual(fleet)
  expect(resolveConfig({ arms }).cost).not.toHaveProperty('fleet')
})

test.each([
  ['', ['--fleet: "" is no name=number']],
  ['400', ['--fleet: "400" is no name=number']],
  ['pods=many', ['--fleet: "pods=many" is no name=number']],
  ['requestsPerSecond=1,pods=1,nodes=1,pods=2', ['--fleet: pods is given twice']],
  ['requestsPerSecond=1,pods=1', ['--fleet.nodes: it is missing; needed: a number']],
  ['requestsPerSecond=1,pods=1.5,nodes=1', ['--fleet.pods: 1.5 is not allowed; needed: a whole number']],
  ['requestsPerSecond=0,pods=1,nodes=1', ['--fleet.requestsPerSecond: 0 is not allowed']],
  ['requestsPerSecond=1,pods=1,nodes=1,node=1', ['--fleet: unknown key "node" (1)']],
])('%s is refused with what is wrong', (text, expected) => {
  const { value, problems } = readFleet(text)
  expect(value).toBeUndefined()
  expect(problems).toHaveLength(expected.length)
  for (const [index, problem] of expected.entries()) expect(problems[index]).toContain(problem)
  expect(() => resolveConfig({ arms }, { fleet: text })).toThrow(UserError)
})
