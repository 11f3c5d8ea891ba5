/** Lines of the product by room: `.ts` without tests, their data and their kits. `--at <commit>` counts another commit. */
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { at: { type: 'string', default: 'HEAD' } } })
const git = (...args) => execFileSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 28 })

const isTest = (file) =>
  /\.(test|itest)\.ts$|(^|\/)(testdata|testing|tests)\/|(^|\/)(testing|testkit)\.ts$|\.d\.ts$/.test(file)
/** `infra/images/proxy`, `harness/run`: as deep as rooms go. */
const roomOf = (file) => {
  const folders = file.split('/').slice(0, -1)
  return folders.slice(0, folders[0] === 'infra' ? 3 : 2).join('/') || file
}

/** @type {Map<string, number>} */
const rooms = new Map()
// Every line with its file; an empty line has something before its end, too: nothing.
for (const line of git('grep', '-c', '', values.at, '--', '*.ts').trim().split('\n')) {
  const [, file = '', count = ''] = /^[^:]+:(.*):(\d+)$/.exec(line) ?? []
  if (!isTest(file)) rooms.set(roomOf(file), (rooms.get(roomOf(file)) ?? 0) + Number(count))
}
const total = [...rooms.values()].reduce((sum, count) => sum + count, 0)
for (const [room, count] of [...rooms].sort()) console.log(`${String(count).padStart(7)}  ${room}`)
console.log(`${String(total).padStart(7)}  in all, at ${git('rev-parse', '--short', values.at).trim()}`)
