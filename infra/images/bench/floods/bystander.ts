/** A client that has nothing to do with a flood: one request after the other over one connection, each timed. */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ListenerAddress } from '../../kit/net/address.js'

export interface Bystander {
  /** Ends it; response times in ms, and what went wrong. */
  stop(): Promise<{ readonly latenciesMs: readonly number[]; readonly errors: readonly string[] }>
}

const pauseMs = 5

export function startBystander(entry: ListenerAddress): Bystander {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const latenciesMs: number[] = []
  const errors: string[] = []
  let isOver = false
  const run = (async () => {
    while (!isOver) {
      const startedAt = performance.now()
      try {
        await ask(entry, agent)
        latenciesMs.push(performance.now() - startedAt)
      } catch (error) {
        errors.push(String(error))
      }
      await sleep(pauseMs)
    }
  })()
  return {
    async stop() {
      isOver = true
      await run
      agent.destroy()
      return { latenciesMs, errors }
    },
  }
}

async function ask({ host, port }: ListenerAddress, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, agent }, (response) => {
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve()
        else reject(new Error(`answered ${response.statusCode}`))
      })
      response.resume()
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}
