/** Builds the publishable package into dist/: compiled JavaScript, ready image bundles, report templates. */
import { chmod, cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { imageNames, bundleSource } from '../infra/images/bundles.js'
import { run } from './exec.js'
import { packageRoot } from './package-root.js'

const dist = join(packageRoot, 'dist')

await rm(dist, { recursive: true, force: true })
const compiler = join(packageRoot, 'node_modules/typescript/bin/tsc')
await run(
  [process.execPath, compiler, '-p', packageRoot, '--noEmit', 'false', '--outDir', dist, '--declaration'],
  { timeoutMs: 300_000 },
)
await removeTests(dist)
// From here the images run as bundles, which the build makes; other programs read their schemas and filters.
await mkdir(join(dist, 'infra/images'), { recursive: true })
for (const image of imageNames) {
  const text = await bundleSource(join(packageRoot, 'infra/images', image, 'main.ts'))
  await writeFile(join(dist, 'infra/images', `${image}.mjs`), text)
}
await cp(join(packageRoot, 'reports/analysis.schema.json'), join(dist, 'reports/analysis.schema.json'))
// The container images are built where Meshbench runs.
const dockerfile = 'infra/container-images/Dockerfile'
await cp(join(packageRoot, dockerfile), join(dist, dockerfile))
await cp(join(packageRoot, 'reports/templates'), join(dist, 'reports/templates'), { recursive: true })
await chmod(join(dist, 'harness/cli.js'), 0o755)
const entry = await readFile(join(dist, 'harness/cli.js'), 'utf8')
if (!entry.startsWith('#!/usr/bin/env node')) throw new Error('dist/harness/cli.js has lost its first line')
process.stdout.write(`built ${dist}\n`)

/** Tests and their data are for the checkout. */
async function removeTests(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const isTest = /\.i?test\.(js|d\.ts)$/.test(entry.name)
    if (entry.isFile() && isTest) await rm(join(entry.parentPath, entry.name))
  }
}
