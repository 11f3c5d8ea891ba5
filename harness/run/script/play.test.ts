/** A second load beside a trial's own: when its generator is told what. */
import { expect, test } from 'vitest'
import { fakeResult } from '../../testing/fake-platform.js'
import type { Arm, Environment, LoadSpec, Running, Script } from '../../model.js'
import { readyScript } from './play.js'

const load: LoadSpec = {
  engine: 'open-loop',
  model: 'open',
  protocol: 'http1',
  ratePerSecond: 10,
  arrival: 'uniform',
  connections: 1,
  warmupMs: 10,
  durationMs: 100,
  payloadBytes: 1,
  timeoutMs: 1000,
}
const arm = { id: 'reference/l7-per-node' } as Arm
const script: Script = [{ atMs: 0, load }]

/** A generator that says that its load is done as soon as it may begin, and waits for a word before it ends. */
function stageOf(fails?: 'at once') {
  const told: string[] = []
  let hear = () => {}
  const heard = () => new Promise<void>((resolve) => (hear = resolve))
  async function* lines() {
    if (fails) return
    for (const edge of ['start', 'end']) {
      const go = heard()
      yield JSON.stringify({ event: 'edge', edge })
      await go
      told.push(edge)
    }
    yield JSON.stringify({ event: 'result', result: fakeResult(load) })
  }
  const running: Running = {
    lines: lines(),
    write: () => hear(),
    kill: () => hear(),
    exited: Promise.resolve({ code: 0, signal: null, tail: 'last words' }),
  }
  const environment = {
    raised: { [arm.id]: { endpoint: { host: 'h', port: 1 } } },
    exec: () => running,
  } as unknown as Environment
  const signal = new AbortController().signal
  return { told, signal, ready: readyScript(script, { environment, arm, seed: 1, signal }) }
}

/** Everything that is due has been done by then. */
const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 20))

test('a generator beside a trial lives on until the trial’s own load is over', async () => {
  const { told, signal, ready } = stageOf()
  let over = () => {}
  const played = ready.play(signal, new Promise<void>((resolve) => (over = resolve)))
  await settled()
  expect(told).toEqual(['start'])
  over()
  const [event] = await played
  expect(told).toEqual(['start', 'end'])
  expect([event?.problem, event?.load?.sent]).toEqual([undefined, fakeResult(load).sent])
})

test('one that fails is an event with its problem', async () => {
  const { signal, ready } = stageOf('at once')
  const [event] = await ready.play(signal, Promise.resolve())
  expect(event?.problem).toContain('ended before its result: last words')
})

test('one that is not waited for can be ended', async () => {
  const { told, signal, ready } = stageOf()
  void ready.play(signal, new Promise(() => {}))
  await settled()
  await ready.close()
  await settled()
  expect(told).toEqual(['start', 'end'])
})

test('what is being done when a trial ends is waited for before it is undone', async () => {
  const told: string[] = []
  let killed = () => {}
  const environment = {
    raised: { [arm.id]: { components: [{ name: 'proxy', hop: 'node-proxy' }] } },
    change: async (_component: string, { do: what }: { do: string }) => {
      told.push(what)
      if (what === 'kill') await new Promise<void>((resolve) => (killed = resolve))
      told.push(`${what} is done`)
    },
  } as unknown as Environment
  const kill: Script = [{ atMs: 0, target: { hop: 'node-proxy' }, change: { do: 'kill' } }]
  const { signal } = new AbortController()
  const ended = new AbortController()
  const ready = readyScript(kill, { environment, arm, seed: 1, signal })
  const played = ready.play(ended.signal, Promise.resolve())
  await settled()
  // As when the generator dies.
  ended.abort()
  const closed = ready.close()
  await settled()
  killed()
  await Promise.all([played, closed])
  expect(told).toEqual(['kill', 'kill is done', 'start', 'start is done'])
})
