/** Who may import whom, type imports included: rooms without circles, files without circles, no crowded folder. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import ts from 'typescript'

const base = ['harness/model', 'harness/protocol']
const images = ['infra/images/bundles.ts']
/** What meshes need of the platform that carries them. */
const declared = ['infra/meshes/declared.ts']
const everything = ['harness', 'infra', 'reports', 'scenarios']

/**
 * Room → rooms that it may import beside itself; a file belongs to the room with the longest name that begins its path.
 * Tests, their data and their kits may import whatever they test.
 */
const rooms = {
  'bench.config.ts': ['harness/config.ts'],
  'harness/protocol': [],
  'harness/model': ['harness/protocol'],
  'harness/stats': base,
  'harness/process': base,
  'harness/load': [...base, 'harness/process'],
  'harness/plan': [...base, 'scenarios/experiments/experiment.ts'],
  'harness/analyze': [...base, 'harness/stats', 'scenarios'],
  'harness/config.ts': ['harness/config'],
  'harness/config': [
    ...[...base, 'harness/process', 'harness/load', 'harness/analyze'],
    ...['scenarios', 'infra/meshes/index.ts', 'infra/platforms/index.ts', ...images],
    // What a function of a hop lets be set.
    'infra/images/proxy/filters/index.ts',
  ],
  'harness/run': [...base, 'harness/process', 'harness/load', 'harness/plan', 'harness/analyze'],
  'harness/truth': [...base, 'harness/process', 'harness/load', 'harness/stats', 'infra/images/loadgen'],
  'harness/cli': everything,
  'harness/lab': everything,
  scenarios: base,
  reports: [...base, 'harness/analyze', 'scenarios'],
  'reports/bench': [...base, 'harness/process', 'harness/stats', 'reports'],
  'infra/images/bundles.ts': ['harness/model/errors.ts'],
  'infra/images/kit': [],
  'infra/images/proxy': ['infra/images/kit'],
  'infra/images/tunnel': ['infra/images/kit'],
  'infra/images/echo': ['infra/images/kit'],
  'infra/images/loadgen': ['infra/images/kit', 'harness/protocol'],
  'infra/images/bench': ['infra/images', 'harness/protocol'],
  'infra/supply': [...base, 'harness/process', ...images],
  'infra/platforms/kit': [...base, 'harness/process', 'harness/load', 'infra/supply', ...declared],
  'infra/platforms/local': [...base, 'harness/process', 'infra/supply', 'infra/platforms/kit', ...images],
  'infra/platforms/netns': [
    ...[...base, 'harness/process', 'infra/supply', 'infra/platforms/kit', 'infra/platforms/local'],
    ...['infra/meshes/kernel/arm-network.ts', ...declared, ...images],
  ],
  'infra/platforms/docker': [
    ...[...base, 'harness/process', 'infra/supply'],
    ...['infra/platforms/kit', 'infra/platforms/local', ...declared, ...images],
  ],
  'infra/platforms/cluster': [
    ...[...base, 'harness/process', 'harness/load', 'infra/supply'],
    ...['infra/platforms/kit', 'infra/platforms/local', ...images],
  ],
  'infra/platforms/kind': [
    ...[...base, 'harness/process', 'infra/supply'],
    ...['infra/platforms/kit', 'infra/platforms/cluster', 'infra/platforms/docker', ...declared],
  ],
  'infra/platforms/kubernetes': [
    ...[...base, 'harness/process', 'infra/supply'],
    ...['infra/platforms/kit', 'infra/platforms/cluster', 'infra/platforms/kind', ...declared],
  ],
  'infra/platforms': [...base, 'infra/platforms'],
  'infra/meshes': [...base, 'harness/process', 'infra/supply', 'infra/platforms/kit', 'infra/images'],
}

const mostFiles = 20

const isTest = (file) =>
  /\.(test|itest)\.ts$|\/testdata\/|\/testing\/|\/testing\.ts$|\/testkit\.ts$/.test(file)

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '[a-z]*.ts'], {
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((file) => existsSync(file))
const known = new Set(files)
/** @type {Map<string, string[]>} file → files that it imports, for their types or to run them */
const imports = new Map(
  files
    .filter((file) => !isTest(file))
    .map((file) => [
      file,
      ts
        .preProcessFile(readFileSync(file, 'utf8'), true, true)
        .importedFiles.map(({ fileName }) => fileName)
        .filter((name) => name.startsWith('.'))
        .map((name) => join(dirname(file), name).replace(/\.js$/, '.ts'))
        .filter((target) => known.has(target)),
    ]),
)
const within = (path, folder) => path === folder || path.startsWith(`${folder}/`)
const roomOf = (file) =>
  Object.keys(rooms)
    .filter((room) => within(file, room) || file === `${room}.ts`)
    .sort((a, b) => b.length - a.length)[0]

const problems = []
for (const [file, targets] of imports) {
  const room = roomOf(file)
  if (room === undefined) problems.push(`${file}: is in no room of .config/rooms.js`)
  else
    for (const target of targets) {
      const other = roomOf(target)
      const allowed = [room, ...rooms[room]]
      if (!allowed.some((name) => within(target, name) || name === other))
        problems.push(`${file}: ${room} must not import ${target}`)
    }
}
for (const circle of circlesOf(imports)) {
  problems.push(`a circle of imports: ${circle.join(' ')}`)
}
/** @type {Map<string, number>} */
const sizes = new Map()
for (const file of files) sizes.set(dirname(file), (sizes.get(dirname(file)) ?? 0) + 1)
for (const [folder, size] of sizes)
  if (size > mostFiles) problems.push(`${folder}: ${size} files side by side, ${mostFiles} at most`)

for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0

/** Strongly connected components of more than one node (Tarjan, 1972). */
function circlesOf(graph) {
  const order = new Map()
  const low = new Map()
  const stack = []
  const found = []
  const visit = (node) => {
    order.set(node, order.size)
    low.set(node, order.get(node))
    stack.push(node)
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next)
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)))
    }
    if (low.get(node) !== order.get(node)) return
    const circle = stack.splice(stack.indexOf(node))
    if (circle.length > 1) found.push(circle.sort())
  }
  for (const node of graph.keys()) if (!order.has(node)) visit(node)
  return found
}
