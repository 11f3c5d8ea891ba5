/** A server that burns c µs of CPU for each request: the CPU that is charged to it rises by c. */
import { type Answer, median, tolerance } from './check.js'
import type { Rig } from './rig.js'

const burnsUs = [50, 200]
const rounds = 5
const spec = { ratePerSecond: 1000, warmupMs: 300, durationMs: 1500 }

export async function checkBurn(rig: Rig): Promise<Answer[]> {
  const plain = await rig.echo()
  const answers: Answer[] = []
  for (const burnUs of burnsUs) {
    const burning = await rig.echo({ burnUs })
    const rises: number[] = []
    for (let round = 0; round < rounds; round++) {
      const pair: number[] = []
      for (const server of round % 2 === 0 ? [plain, burning] : [burning, plain]) {
        const { result, serverCpuUs } = await rig.load('open-loop', spec, server)
        pair[server === plain ? 0 : 1] = serverCpuUs / result.sent
      }
      rises.push((pair[1] as number) - (pair[0] as number))
    }
    await burning.kill()
    answers.push({
      check: 'CPU',
      what: `${burnUs} µs burned for each request: rise of CPU per request, median of ${rounds} pairs`,
      unit: 'µs',
      expected: burnUs,
      measured: median(rises),
      tolerance: tolerance(burnUs, 0.05),
      rule: 'near',
    })
  }
  await plain.kill()
  return answers
}
