/**
 * Shows that rendering grows no faster than the trials: time, memory and size at 1×, 4× and 16× of what
 * `npm run bench:report -- <rounds>` names, each in a process of its own so that none pays for another's memory. Loading
 * the chart libraries, which is the same for any run, is a time of its own.
 */
import { fileURLToPath } from 'node:url'
import { run } from '../../harness/process/exec.js'
import { renderHtml } from '../page/render.js'
import { prepareDrawing } from '../page/svg.js'
import { readAssets } from '../testdata/assets.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'

const [rounds = '200', measured] = process.argv.slice(2)
if (measured === undefined) {
  for (const factor of [1, 4, 16]) {
    const argv = [
      process.execPath,
      ...process.execArgv,
      fileURLToPath(import.meta.url),
      rounds,
      String(factor),
    ]
    process.stdout.write((await run(argv, { timeoutMs: 600_000 })).stdout)
  }
} else {
  const analysis = sampleAnalysis({ rounds: Number(rounds) * Number(measured), rates: [1000] })
  const loading = performance.now()
  await prepareDrawing()
  const [before, started] = [process.cpuUsage(), performance.now()]
  const html = await renderHtml(analysis, readAssets())
  const { user, system } = process.cpuUsage(before)
  const seconds = (ms: number) => (ms / 1000).toFixed(2)
  console.log(
    [
      `${measured}×`,
      `${analysis.trials.length} trials`,
      `${seconds(performance.now() - started)} s, after ${seconds(started - loading)} s to load`,
      `CPU ${seconds((user + system) / 1000)} s`,
      `peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
      `page ${Math.round(html.length / 1000)} kB`,
    ].join('  '),
  )
}
