import { describe, expect, it } from 'vitest'
import type { Running } from '../../../../harness/model.js'
import type { Kubectl } from './kubectl.js'
import { runInPod } from './pod-exec.js'

/** A kubectl whose `exec` ends when it is told to, and that counts what is run to end things. */
function fakeKubectl() {
  const events: string[] = []
  let end = (_code: number | null) => {}
  let finishKilling = () => {}
  const exited = new Promise<Awaited<Running['exited']>>((resolve) => {
    end = (code) => resolve({ code, signal: null, tail: '' })
  })
  const kubectl = {
    start: (): Running => ({
      lines: (async function* () {
        yield 'line'
        await exited
      })(),
      write: () => {},
      kill: (signal) => void events.push(`exec got ${signal}`),
      exited,
    }),
    run: async () => {
      events.push('kill all')
      await new Promise<void>((resolve) => (finishKilling = resolve))
      events.push('killed')
    },
  }
  return {
    kubectl: kubectl as unknown as Kubectl,
    events,
    end: (code: number) => end(code),
    finishKilling: () => finishKilling(),
  }
}

const resolve = async () => ({ namespace: 'n', pod: 'p', container: 'client' })
const next = () => new Promise((done) => setImmediate(done))

describe('a command in a pod', () => {
  it('is not ended again when it has ended: the next one may be running there by then', async () => {
    const { kubectl, events, end } = fakeKubectl()
    const running = runInPod(kubectl, resolve, { argv: ['node'] })
    await next()
    end(0)
    expect(await running.exited).toMatchObject({ code: 0, signal: null })
    running.kill('SIGKILL')
    await next()
    expect(events).toEqual([])
  })

  it('has ended only when what ends it in the pod is through', async () => {
    const { kubectl, events, end, finishKilling } = fakeKubectl()
    const running = runInPod(kubectl, resolve, { argv: ['node'] })
    await next()
    running.kill('SIGKILL')
    void running.exited.then(() => events.push('exited'))
    end(137)
    await next()
    expect(events).toEqual(['kill all'])
    finishKilling()
    expect(await running.exited).toMatchObject({ code: 137, signal: 'SIGKILL' })
    await next()
    expect(events.indexOf('killed')).toBeLessThan(events.indexOf('exited'))
  })

  it('is ended in the pod when the way to it broke off, before anything else is run there', async () => {
    const { kubectl, events, end, finishKilling } = fakeKubectl()
    const running = runInPod(kubectl, resolve, { argv: ['node'] })
    void running.exited.then(() => events.push('exited'))
    await next()
    end(1)
    await expect.poll(() => events).toEqual(['kill all'])
    finishKilling()
    expect(await running.exited).toMatchObject({ code: 1, signal: null })
    expect(events).toEqual(['kill all', 'killed', 'exited'])
  })
})
