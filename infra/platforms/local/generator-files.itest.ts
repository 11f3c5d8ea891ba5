import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Arm } from '../../../harness/model.js'
import { resolveConfig } from '../../../harness/config/resolve-config.js'
import { openScope } from '../../../harness/process/scope.js'
import { local } from './local.js'

it('what a generator that is killed keeps in the temporary folder goes with its run', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'meshbench-test-'))
  const scope = openScope({ runId: 'local-files', stateDir, signal: new AbortController().signal })
  try {
    const config = resolveConfig({ arms: { reference: ['l4-only'] } })
    const request = { id: 'local', config, arms: [], paths: [] }
    const progress = { step: <T>(_title: string, work: () => Promise<T>) => work(), note: () => {} }
    const host = await local.create(request, scope, progress)
    const script = `console.log(fs.mkdtempSync(path.join(os.tmpdir(), 'tool-'))); setInterval(() => {}, 1000)`
    const generator = host.exec({} as Arm, { argv: [process.execPath, '-e', script] })
    let made = ''
    for await (const line of generator.lines) {
      made = line
      generator.kill('SIGKILL')
    }
    await generator.exited
    expect([made.startsWith(join(stateDir, 'tool-')), existsSync(made)]).toEqual([true, true])
  } finally {
    expect(await scope.close()).toEqual([])
    await rm(stateDir, { recursive: true })
  }
})
