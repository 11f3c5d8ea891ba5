/** The package as npm would publish it, in a project of somebody else's: it installs, runs, and its types check. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../process/exec.js'
import { packageRoot } from '../../process/package-root.js'

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
}

/** Names of packages that an installation without those for development has at its top. */
function installedNames(): string[] {
  const lockfile = JSON.parse(readFileSync(join(packageRoot, 'package-lock.json'), 'utf8')) as Lockfile
  return Object.entries(lockfile.packages)
    .filter(([path, { dev }]) => path.lastIndexOf('node_modules/') === 0 && !dev)
    .map(([path]) => path.slice('node_modules/'.length))
    .filter((name) => existsSync(join(packageRoot, 'node_modules', name)))
}

describe('the package', () => {
  let folder: string
  let consumer: string
  let installed: string
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const meshbench = (...args: string[]) =>
    run([join(installed, 'dist/harness/cli.js'), ...args], {
      cwd: consumer,
      allowFailure: true,
      timeoutMs: 120_000,
    })

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'meshbench-package-'))
    consumer = join(folder, 'consumer')
    installed = join(consumer, 'node_modules/meshbench')
    await run(['npm', 'run', 'build'], { cwd: packageRoot, timeoutMs: 300_000 })
    await run(['npm', 'pack', '--pack-destination', folder], { cwd: packageRoot })
    // What `npm install` does, without a registry: unpack it, and put what it depends on, and nothing else, beside it.
    mkdirSync(installed, { recursive: true })
    await run(['sh', '-c', `tar -xzf ../*.tgz --strip-components=1 -C "$0"`, installed], { cwd: consumer })
    for (const name of installedNames()) {
      const link = join(consumer, 'node_modules', name)
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(join(packageRoot, 'node_modules', name), link)
    }
    writeFileSync(
      join(consumer, 'package.json'),
      JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
    )
    const init = await meshbench('init')
    expect([init.code, init.stderr]).toEqual([0, ''])
  }, 400_000)

  test('holds no test, no source and no picture', async () => {
    const { stdout } = await run(['find', installed, '-type', 'f'])
    const files = stdout
      .trim()
      .split('\n')
      .map((path) => path.slice(installed.length + 1))
    expect(files.filter((path) => /test\.|testdata|\.png$|(?<!\.d)\.ts$/.test(path))).toEqual([])
    expect(files).toEqual(
      expect.arrayContaining(['README.md', 'LICENSE', 'dist/reports/analysis.schema.json']),
    )
  })

  test('writes a config, plans it, measures it and renders it again', async () => {
    const flags = [
      '--profile',
      'smoke',
      '--arm',
      'reference/l4-only',
      '--experiment',
      'latency',
      '--rounds',
      '1',
    ]
    const plan = await meshbench('plan', ...flags)
    expect([plan.code, plan.stderr, plan.stdout]).toEqual([
      0,
      '',
      expect.stringContaining('reference/l4-only'),
    ])
    const ran = await meshbench('run', ...flags, '--out', 'out')
    expect([ran.code, ran.stderr, ran.stdout]).toEqual([
      0,
      '',
      expect.stringContaining('report: out/report.html'),
    ])
    const again = await meshbench('report', 'out', '--out', 'again')
    expect([again.code, again.stderr]).toEqual([0, ''])
    const page = (name: string) => readFileSync(join(consumer, name, 'report.html'), 'utf8')
    expect(page('again') === page('out')).toBe(true)
  })

  test('gives a config its types, in a project that knows no types of Node', async () => {
    // The config of `init`, and one with a name that is wrong.
    const typo = `import { defineConfig } from 'meshbench'\nexport default defineConfig({ arms: { reference: ['l4-onyl'] } })\n`
    writeFileSync(join(consumer, 'typo.config.ts'), typo)
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2023', types: [] },
      ...{ strict: true, noEmit: true, skipLibCheck: false },
    }
    const files = ['bench.config.ts', 'typo.config.ts']
    writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    const compiler = join(packageRoot, 'node_modules/typescript/bin/tsc')
    const { stdout } = await run([process.execPath, compiler, '-p', consumer, '--pretty', 'false'], {
      allowFailure: true,
    })
    const errors = stdout.split('\n').filter((line) => /^\S/.test(line))
    expect(errors).toEqual([expect.stringMatching(/typo\.config\.ts.*"l4-onyl"/)])
  })
})
