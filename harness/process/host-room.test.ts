import { expect, test } from 'vitest'
import type { Plan, Platform } from '../model.js'
import { readRoom, restlessText, unmetRoom } from './host-room.js'

const onHost = { builds: 'bundle' } as Platform
const planOf = (load: object) => ({ cells: [{ load }] }) as unknown as Plan
const room = { openFiles: 128, localPorts: 28_232, portSeconds: 60 }

test('files that a hop needs for its connections are counted before it starts', () => {
  const unmet = unmetRoom(planOf({ engine: 'open-loop', connections: 400 }), onHost, room)
  expect(unmet).toMatchObject([
    { need: expect.stringContaining('864 open files') as string, found: '128 (`ulimit -n`)' },
  ])
  expect(unmetRoom(planOf({ engine: 'open-loop', connections: 32 }), onHost, room)).toEqual([])
  expect(unmetRoom(planOf({ connections: 400 }), { builds: 'image' } as Platform, room)).toEqual([])
})

test('new connections are set against the ports that they take for as long as TIME_WAIT lasts', () => {
  const plan = planOf({ engine: 'connect', connections: 16, ratePerSecond: 1_000 })
  expect(unmetRoom(plan, onHost, room)).toMatchObject([
    { need: expect.stringContaining('60000 local ports') as string },
  ])
  expect(unmetRoom(plan, onHost, { ...room, portSeconds: 1 })).toEqual([])
})

test('this host has room for something', () => {
  expect(readRoom()).toMatchObject({ localPorts: expect.any(Number) as number })
  expect(readRoom().localPorts).toBeGreaterThan(1_000)
})

test('a host that others keep busy is told before the start', () => {
  const plan = { config: { validity: { maxForeignCpuShare: 0.5 } } } as unknown as Plan
  expect(restlessText(0.4, plan)).toBeUndefined()
  expect(restlessText(0.93, plan)).toMatch(
    /^others use 93 % of this host now, and trials are invalid above 50 %: let it come to rest/,
  )
})
