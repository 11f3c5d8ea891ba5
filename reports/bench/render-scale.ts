/**
 * Shows that rendering grows no faster than the trials: time, memory and size at 1×, 4× and 16× of what
 * `npm run bench:report -- <rounds> <repeats>` names, each time in a process of its own so that none pays for another's
 * memory, and the sizes in turn so that a host that drifts does so for all. Loading the chart libraries, which is the same
 * for any run, is a time of its own.
 */
import { fileURLToPath } from 'node:url'
import { run } from '../../harness/process/exec.js'
import { boundsOf, estimateLocation } from '../../harness/stats/location.js'
import { renderHtml } from '../page/render.js'
import { prepareDrawing } from '../page/svg.js'
import { readAssets } from '../testdata/assets.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'

interface Rendering {
  readonly trials: number
  readonly seconds: number
  readonly loadingSeconds: number
  readonly cpuSeconds: number
  readonly peakMib: number
  readonly pageKb: number
}

const [rounds = '200', repeats = '10', measured] = process.argv.slice(2)
if (measured === undefined) await measureAll()
else console.log(JSON.stringify(await renderOnce(Number(rounds) * Number(measured))))

async function measureAll(): Promise<void> {
  const found = new Map<number, Rendering[]>([1, 4, 16].map((factor) => [factor, []]))
  for (let repeat = 0; repeat < Number(repeats); repeat++)
    for (const [factor, renderings] of found) {
      const script = [fileURLToPath(import.meta.url), rounds, repeats, String(factor)]
      const argv = [process.execPath, ...process.execArgv, ...script]
      renderings.push(JSON.parse((await run(argv, { timeoutMs: 600_000 })).stdout) as Rendering)
    }
  console.log(`${repeats} renderings of each size: 95 % intervals, the largest memory`)
  for (const [factor, renderings] of found) console.log(describe(factor, renderings))
}

async function renderOnce(rounds: number): Promise<Rendering> {
  const analysis = sampleAnalysis({ rounds, rates: [1000] })
  const loading = performance.now()
  await prepareDrawing()
  const [before, started] = [process.cpuUsage(), performance.now()]
  const html = await renderHtml(analysis, readAssets())
  const ended = performance.now()
  const { user, system } = process.cpuUsage(before)
  return {
    trials: analysis.trials.length,
    seconds: (ended - started) / 1000,
    loadingSeconds: (started - loading) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakMib: process.resourceUsage().maxRSS / 1024,
    pageKb: html.length / 1000,
  }
}

function describe(factor: number, renderings: readonly Rendering[]): string {
  const all = (value: keyof Rendering) => renderings.map((rendering) => rendering[value])
  const told = (value: keyof Rendering) => {
    const location = estimateLocation(all(value), { seed: 1 })
    const { low, high } = boundsOf(location, 0.95)
    return `${location.value.toFixed(2)} s (${low.toFixed(2)} to ${high.toFixed(2)})`
  }
  return [
    `${factor}×`,
    `${renderings[0]?.trials} trials`,
    told('seconds'),
    `after ${told('loadingSeconds')} to load`,
    `CPU ${told('cpuSeconds')}`,
    `peak memory ${Math.max(...all('peakMib')).toFixed(0)} MiB`,
    `page ${Math.max(...all('pageKb')).toFixed(0)} kB`,
  ].join('  ')
}
