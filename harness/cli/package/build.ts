/** Builds the publishable package into dist/: compiled JavaScript, ready image bundles, report templates. */
import { chmod, cp, readFile, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { run } from '../../process/exec.js'
import { addProducts } from './package-files.js'
import { packageRoot } from '../../process/package-root.js'

const dist = join(packageRoot, 'dist')

await rm(dist, { recursive: true, force: true })
const compiler = join(packageRoot, 'node_modules/typescript/bin/tsc')
// Whole: what an earlier build has written counts as there, and was removed above.
const options = ['--noEmit', 'false', '--incremental', 'false', '--outDir', dist]
await run([process.execPath, compiler, '-p', packageRoot, ...options], { timeoutMs: 300_000 })
await removeUnreached(dist, ['harness/cli.js', 'harness/config.js'])
await addProducts(dist)
await cp(join(packageRoot, 'reports/page/templates'), join(dist, 'reports/page/templates'), {
  recursive: true,
})
await chmod(join(dist, 'harness/cli.js'), 0o755)
const entry = await readFile(join(dist, 'harness/cli.js'), 'utf8')
if (!entry.startsWith('#!/usr/bin/env node')) throw new Error('dist/harness/cli.js has lost its first line')
process.stdout.write(`built ${dist}\n`)

/** Keeps what the command line and a config reach, at run time or by their types: the rest is for the checkout. */
async function removeUnreached(folder: string, entries: readonly string[]): Promise<void> {
  const kept = new Set<string>()
  const visit = async (path: string): Promise<void> => {
    const module = path.replace(/\.js$/, '')
    if (kept.has(module)) return
    kept.add(module)
    for (const extension of ['.js', '.d.ts']) {
      const text = await readFile(module + extension, 'utf8')
      for (const [, name = ''] of text.matchAll(/\b(?:from|import)\s*\(?\s*['"](\.[^'"]+\.js)['"]/g))
        await visit(join(dirname(module), name))
    }
  }
  for (const entry of entries) await visit(join(folder, entry))
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    const module = path.replace(/(\.d\.ts|\.js)$/, '')
    if (entry.isFile() && module !== path && !kept.has(module)) await rm(path)
  }
}
