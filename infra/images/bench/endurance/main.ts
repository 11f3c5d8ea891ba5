/**
 * `npm run bench:endurance`: traffic through a chain of hops for long enough that a leak shows. Every answer is compared,
 * every byte is accounted for on every leg, certificates are rotated and configs reloaded on the way. Prints the slope
 * of each process's memory; exits 1 on an error, a lost byte, or memory that grows.
 *
 *     npm run bench:endurance -- [--path l4-l7-l4] [--protocol http1|h2|grpc] [--requests 2000000] [--connections 50000] [--concurrency 16]
 */
import { parseArgs } from 'node:util'
import { createWorkspace } from '../../kit/testing.js'
import { chainPaths } from './chain.js'
import { enduranceProtocols, runEndurance } from './run.js'

/** 8 MiB in a million requests: below what a heap breathes, far above what a leak of one object per request is. */
const maxSlopeBytes = 8 * 1024

const { values } = parseArgs({
  options: {
    path: { type: 'string', default: 'l4-l7-l4' },
    protocol: { type: 'string', default: 'http1' },
    requests: { type: 'string', default: '2000000' },
    connections: { type: 'string', default: '50000' },
    concurrency: { type: 'string', default: '16' },
  },
})
const path = oneOf('path', values.path, chainPaths)
const protocol = oneOf('protocol', values.protocol, enduranceProtocols)
const workspace = createWorkspace()
const { totals, accounts, memory, seconds } = await runEndurance(workspace, {
  path,
  protocol,
  requests: Number(values.requests),
  connections: Number(values.connections),
  concurrency: Number(values.concurrency),
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
  `${path}, ${protocol}: ${totals.requests} requests over ${totals.connections} connections, ${totals.resets} ended by our reset, in ${seconds.toFixed(0)} s; ${totals.errors.length} errors`,
)
for (const error of totals.errors.slice(0, 20)) console.log(`  ${error}`)
for (const { what, expected, counted } of accounts) {
  console.log(
    `${expected === counted ? 'ok   ' : 'WRONG'} ${what}: ${counted}${expected === counted ? '' : `, not ${expected}`}`,
  )
}
for (const { name, firstBytes, lastBytes, slopeBytes } of memory) {
  console.log(
    `${slopeBytes > maxSlopeBytes ? 'WRONG' : 'ok   '} memory of ${name}: ${mib(firstBytes)} → ${mib(lastBytes)} MiB, slope ${(slopeBytes / 1024).toFixed(2)} KiB per 1 000 requests`,
  )
}
process.exitCode = totals.errors.length + wrong.length + growing.length === 0 ? 0 : 1

function oneOf<Name extends string>(flag: string, value: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === value)
  if (found === undefined) throw new Error(`--${flag}: "${value}" is none of ${names.join(', ')}`)
  return found
}
