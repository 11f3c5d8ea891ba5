/** Engines and the server count the same requests, to the request. */
import type { Protocol } from '../../model.js'
import type { Answer } from './check.js'
import type { Rig } from './rig.js'

const protocols: readonly Protocol[] = ['http1', 'h2', 'grpc', 'tcp']
const spec = { ratePerSecond: 1000, warmupMs: 200, durationMs: 1000 }

export async function checkCounts(rig: Rig): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const [engine, protocol] of [
    ...protocols.map((name) => ['open-loop', name] as const),
    ['closed-loop', 'http1'] as const,
    ['connect', 'http1'] as const,
  ]) {
    const server = await rig.echo()
    const ratePerSecond = engine === 'connect' ? 200 : spec.ratePerSecond
    const { result } = await rig.load(engine, { ...spec, ratePerSecond, protocol }, server)
    answers.push({
      check: 'counts',
      what: `${engine} over ${protocol}: what the engine sent, against the server's counter`,
      unit: 'requests',
      expected: await server.requests(),
      measured: result.warmupSent + result.sent,
    })
    await server.kill()
  }
  return answers
}
