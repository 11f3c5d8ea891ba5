/**
 * Compiles the command line once for all files of a suite: it then starts in half of the time that it takes from source,
 * and finds its images bundled, as in the published package. Vitest calls this before the first file of each suite.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { addProducts } from '../cli/package/package-files.js'
import { packageRoot } from '../process/package-root.js'
import { compiledCliVariable } from './cli.js'

export async function setup(): Promise<(() => void) | undefined> {
  if (process.env[compiledCliVariable] !== undefined) return undefined
  // Inside of the checkout, so that packages and templates are found from there.
  const parent = join(packageRoot, 'build')
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'cli-'))
  const sources = ['harness', 'infra', 'reports', 'scenarios'].flatMap((top) =>
    readdirSync(join(packageRoot, top), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !/\.i?test\.ts$/.test(name))
      .map((name) => join(packageRoot, top, name)),
  )
  await build({
    entryPoints: sources,
    outdir: folder,
    outbase: packageRoot,
    bundle: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
  })
  await addProducts(folder)
  process.env[compiledCliVariable] = join(folder, 'harness/cli.js')
  return () => rmSync(folder, { recursive: true, force: true })
}
