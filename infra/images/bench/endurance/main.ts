/**
 * `npm run bench:endurance`: traffic through a chain of hops for long enough that a leak shows. Every answer is compared,
 * every byte is accounted for on every leg, certificates are rotated and configs reloaded on the way. Prints the slope
 * of each process's memory; exits 1 on an error, a lost byte, or memory that grows.
 *
 *     npm run bench:endurance -- [--path l4-l7-l4] [--protocol http1|h2|grpc] [--requests 2000000] [--connections 50000] [--concurrency 16]
 */
import { createWorkspace } from '../../kit/testing.js'
import { readFlags } from '../flags.js'
import { chainPaths } from './chain.js'
import { enduranceProtocols, runEndurance } from './run.js'

/** 8 MiB in a million requests: below what a heap breathes, far above what a leak of one object per request is. */
const maxSlopeBytes = 8 * 1024

const flags = readFlags({
  ...{ path: chainPaths, protocol: enduranceProtocols },
  ...{ requests: 2_000_000, connections: 50_000, concurrency: 16 },
})
const workspace = createWorkspace()
const { totals, accounts, memory, seconds } = await runEndurance(workspace, {
  ...flags,
  onProgress({ connections, requests, errors }) {
    process.stderr.write(`\r${connections} connections, ${requests} requests, ${errors.length} errors `)
  },
}).finally(() => {
  workspace.remove()
})
process.stderr.write('\n')
const wrong = accounts.filter(({ expected, counted }) => expected !== counted)
const growing = memory.filter(({ slopeBytes }) => slopeBytes > maxSlopeBytes)
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
console.log(
  `${flags.path}, ${flags.protocol}: ${totals.requests} requests over ${totals.connections} connections, ${totals.resets} ended by our reset, in ${seconds.toFixed(0)} s; ${totals.errors.length} errors`,
)
for (const error of totals.errors.slice(0, 20)) console.log(`  ${error}`)
const tell = (isRight: boolean, text: string) => console.log(`${isRight ? 'ok   ' : 'WRONG'} ${text}`)
for (const { what, expected, counted } of accounts)
  tell(expected === counted, `${what}: ${counted}${expected === counted ? '' : `, not ${expected}`}`)
for (const { name, firstBytes, lastBytes, slopeBytes } of memory)
  tell(
    slopeBytes <= maxSlopeBytes,
    `memory of ${name}: ${mib(firstBytes)} → ${mib(lastBytes)} MiB, slope ${(slopeBytes / 1024).toFixed(2)} KiB per 1 000 requests`,
  )
process.exitCode = totals.errors.length + wrong.length + growing.length === 0 ? 0 : 1
