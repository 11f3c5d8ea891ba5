/** A new mesh and a new platform are a file and a line in a registry each: both are added to a copy of the sources and run. */
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { packageRoot } from '../harness/process/package-root.js'
import { createWorkspace, noPage, smallConfig, type Workspace } from '../harness/testing/cli.js'
import { trialsOf } from '../harness/testing/trials.js'

const toyMesh = `
import { createHopMesh } from '../hops/hop-mesh.js'
import { ownTunnel } from '../hops/own-hops.js'

export const toy = createHopMesh({ name: 'toy', summary: 'a toy', paths: ['l4-only'], l4: ownTunnel })
`

const toyPlatform = `
import { z } from 'zod'
import type { Platform } from '../../../harness/model.js'
import { local } from '../local/local.js'

const platformSettings = {}
const asLocal = (request) => ({ ...request, config: { ...request.config, platformSettings } })

export const playground: Platform = {
  ...local,
  name: 'playground',
  summary: 'local by another name',
  settings: z.strictObject({ loud: z.boolean().default(false) }),
  flags: { loud: 'make a noise' },
  leftovers: async () => [{ runId: 'run-0', title: 'a toy', remove: async () => {} }],
  check: (request) => local.check(asLocal(request)),
  create: (request, scope, progress) => local.create(asLocal(request), scope, progress),
}
`

let root: string
let workspace: Workspace

/** Adds a file, and the line in the registry of its room that makes it known. */
async function add(room: string, name: string, source: string): Promise<void> {
  const file = join(root, room, name, `${name}.ts`)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, source)
  const registry = join(root, room, 'index.ts')
  const text = await readFile(registry, 'utf8')
  // An import and its mention: what a formatter makes one entry of.
  const known = text.replace(/^export const \w+ = {$/m, (line) => `${line}\n  ${name},`)
  expect(known).not.toBe(text)
  await writeFile(registry, `import { ${name} } from './${name}/${name}.js'\n${known}`)
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'meshbench-copy-'))
  const rooms = ['harness', 'infra', 'scenarios', 'reports', 'package.json', 'tsconfig.json']
  for (const name of rooms) await cp(join(packageRoot, name), join(root, name), { recursive: true })
  await symlink(join(packageRoot, 'node_modules'), join(root, 'node_modules'))
  await add('infra/meshes', 'toy', toyMesh)
  await add('infra/platforms', 'playground', toyPlatform)
  workspace = createWorkspace({ source: root })
})
afterAll(async () => {
  workspace.remove()
  await rm(root, { recursive: true, force: true })
})

const config = { ...smallConfig, arms: { toy: ['l4-only'] }, platform: 'playground' }

it('is run, listed, planned with its own flag, and cleaned up after', async () => {
  workspace.writeConfig(config)
  const { code, stderr } = await workspace.meshbench('run', '--out', 'out', ...noPage)
  expect([stderr, code]).toEqual(['', 0])
  const trials = trialsOf(workspace.journal('out').entries)
  const measured = trials.filter(({ state }) => state === 'ok').map(({ cell }) => cell.split('|')[1])
  expect(new Set(measured)).toEqual(new Set(['none/baseline', 'none/baseline-twin', 'toy/l4-only']))

  const listed = (await workspace.meshbench('list')).stdout
  expect(listed).toMatch(/playground +local by another name/)
  expect(listed).toMatch(/toy +a toy: l4-only/)
  const planned = await workspace.meshbench('plan', '--loud', '--json')
  expect(JSON.parse(planned.stdout)).toMatchObject({
    config: { platformSettings: { playground: { loud: true } } },
  })
  const cleaned = await workspace.meshbench('clean', '--dry-run')
  expect(cleaned.stdout).toContain('would remove a toy of run run-0')
})

it('has settings of its own, and no others', async () => {
  workspace.writeConfig({
    ...config,
    meshSettings: { toy: { tunnel: { pol: {} } } },
    platformSettings: { playground: { lowd: true } },
  })
  const { code, stderr } = await workspace.meshbench('plan')
  expect(code).toBe(2)
  expect(stderr).toContain('meshSettings.toy.tunnel: unknown key "pol" ({}); allowed: pool')
  expect(stderr).toContain('platformSettings.playground: unknown key "lowd" (true); allowed: loud')
})
