/** Bad input, and hosts that lack something, through the real command line. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { describe, expect } from 'vitest'
import { run } from '../process/exec.js'
import { noPage, smallConfig } from '../testing/cli.js'
import { processesOf } from '../testing/processes.js'
import { expectRefusal } from '../testing/refusal.js'
import { test } from '../testing/workspace-test.js'

describe.concurrent(
  'bad input is answered on one screen, with the right exit code and no stack trace',
  () => {
    test('no config', ({ workspace }) =>
      expectRefusal(workspace, ['run'], 2, 'no config at bench.config.ts', 'meshbench init'))

    test('a config with many problems', async ({ workspace }) => {
      workspace.writeConfig({
        sed: 1,
        arms: { refrence: ['l4-only'], reference: ['l4'] },
        experiments: { latency: { ratesPerSecond: [-1] } },
      })
      await expectRefusal(workspace, ['run'], 2, '"sed"', 'refrence', '"l4" is not allowed')
    })

    test('a config that does not load', async ({ workspace }) => {
      writeFileSync(workspace.path('bench.config.ts'), 'export default {')
      await expectRefusal(workspace, ['run'], 2, 'bench.config.ts does not load')
    })

    test('flags that make no sense', async ({ workspace }) => {
      workspace.writeConfig(smallConfig)
      const refusals = [
        ['--rate', '-5', "'-5' is invalid"],
        ['--rounds', '0', 'a whole number from 1 is needed'],
        ['--budget', 'long', 'a number of minutes above 0 is needed'],
        ['--profile', 'huge', 'Allowed choices are smoke, quick, full'],
        ['--arm', 'l9', '"l9" is unknown'],
      ] as const
      await Promise.all([
        ...refusals.map(([flag, value, part]) => expectRefusal(workspace, ['run', flag, value], 2, part)),
        expectRefusal(workspace, ['run', '--colour'], 2, "unknown option '--colour'"),
      ])
    })

    test('more experiments than there is time for', async ({ workspace }) => {
      workspace.writeConfig(smallConfig)
      const short = await workspace.meshbench('plan', '--experiment', 'all')
      const [, minutes] = /left out for lack of time: .*; --budget (\d+) takes all/.exec(short.stderr) ?? []
      const all = await workspace.meshbench('plan', '--experiment', 'all', '--budget', String(minutes))
      expect(all.stderr).not.toContain('for lack of time')
      expect(all.stdout).toContain('footprint')
      const none = ['plan', '--experiment', 'all', '--budget', '0.01']
      await expectRefusal(workspace, none, 2, 'no experiment fits into', '--budget')
    })

    test('an occupied output folder', async ({ workspace }) => {
      workspace.writeConfig(smallConfig)
      mkdirSync(workspace.path('out'))
      writeFileSync(workspace.path('out/precious'), 'data')
      await expectRefusal(workspace, ['run', '--out', 'out'], 2, 'out is not empty', '--resume')
      expect(readdirSync(workspace.path('out'))).toEqual(['precious'])
    })

    test('a journal that is missing, half-written or another thing', async ({ workspace }) => {
      await expectRefusal(workspace, ['report', 'nowhere'], 2, 'no journal at')
      mkdirSync(workspace.path('out'))
      writeFileSync(workspace.path('out/journal.jsonl'), '{"type":"run","sch')
      await expectRefusal(workspace, ['report', 'out'], 2, 'has no header')
      writeFileSync(workspace.path('out/journal.jsonl'), 'hello\n')
      await expectRefusal(workspace, ['report', 'out'], 2, 'line 1 is not JSON')
    })

    test('a missing binary', async ({ workspace }) => {
      workspace.writeConfig({ ...smallConfig, arms: { envoy: ['l4-only'] } })
      const env = { ENVOY_BIN: '/nowhere/envoy' }
      const doctor = await workspace.meshbenchWith(env, 'doctor')
      expect([doctor.code, doctor.stdout]).toEqual([3, expect.stringContaining('/nowhere/envoy')])
      const nothingLeft = await workspace.meshbenchWith(env, 'run', '--out', 'none')
      expect([nothingLeft.code, nothingLeft.stderr]).toEqual([3, expect.stringContaining('/nowhere/envoy')])

      workspace.writeConfig({ ...smallConfig, arms: { envoy: ['l4-only'], reference: ['l4-only'] } })
      const { code, stdout } = await workspace.meshbenchWith(
        env,
        'run',
        '--out',
        'out',
        '--rounds',
        '1',
        ...noPage,
      )
      expect([code, stdout]).toEqual([1, expect.stringContaining('envoy/l4-only is left out')])
      expect(stdout).toContain('/nowhere/envoy')
    })

    test('a disk that is full', async ({ workspace, skip }) => {
      workspace.writeConfig(smallConfig)
      mkdirSync(workspace.path('small'))
      const mounted = await run(
        ['mount', '-t', 'tmpfs', '-o', 'size=24k', 'tmpfs', workspace.path('small')],
        {
          allowFailure: true,
        },
      ).catch(() => undefined)
      if (mounted?.code !== 0) {
        console.log('skipped: no small file system can be mounted here')
        return skip()
      }
      try {
        await expectRefusal(
          workspace,
          ['run', '--out', 'small/out', '--rounds', '20'],
          4,
          'cannot write the journal',
          'free some space',
        )
        expect(workspace.journal('small/out').header.type).toBe('run')
        expect(processesOf(workspace.journal('small/out').header.runId)).toEqual([])
      } finally {
        await run(['umount', workspace.path('small')])
      }
    })
  },
)
