import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Arm } from '../../../harness/model.js'
import { resolveConfig } from '../../../harness/config/resolve-config.js'
import { silentProgress, withScope } from '../../../harness/testing/scope.js'
import { local } from './local.js'

it('what a generator that is killed keeps in the temporary folder goes with its run', async () => {
  await withScope('local-files', async (scope) => {
    const config = resolveConfig({ arms: { reference: ['l4-only'] } })
    const request = { id: 'local', config, arms: [], paths: [] }
    const host = await local.create(request, scope, silentProgress)
    const script = `console.log(fs.mkdtempSync(path.join(os.tmpdir(), 'tool-'))); setInterval(() => {}, 1000)`
    const generator = host.exec({} as Arm, { argv: [process.execPath, '-e', script] })
    let made = ''
    for await (const line of generator.lines) {
      made = line
      generator.kill('SIGKILL')
    }
    await generator.exited
    expect([made.startsWith(join(scope.stateDir, 'tool-')), existsSync(made)]).toEqual([true, true])
  })
})
