/** Shows that rendering grows no faster than the trials: prints CPU time, memory and size at 1×, 4× and 16×. */
import { renderHtml } from '../render.js'
import { readAssets } from '../testdata/assets.js'
import { sampleAnalysis } from '../testdata/sample-analysis.js'

const rounds = Number(process.argv[2] ?? 50)
const assets = readAssets()
await renderHtml(sampleAnalysis({ rounds: 2, rates: [1000] }), assets) // Compiles templates and warms the engine.
for (const factor of [1, 4, 16]) {
  const analysis = sampleAnalysis({ rounds: rounds * factor, rates: [1000] })
  const before = process.cpuUsage()
  const html = await renderHtml(analysis, assets)
  const { user, system } = process.cpuUsage(before)
  const cpuMs = Math.round((user + system) / 1000)
  const rssMib = Math.round(process.memoryUsage().rss / 2 ** 20)
  console.log(
    `${factor}×  ${analysis.trials.length} trials  CPU ${cpuMs} ms  RSS ${rssMib} MiB  page ${Math.round(html.length / 1000)} kB`,
  )
}
