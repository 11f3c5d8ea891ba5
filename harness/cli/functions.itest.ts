/** What functions of a hop cost, through the command line: every function works on a real path and refuses nothing. */
import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { createWorkspace, smallConfig } from '../testing/cli.js'
import { functions } from '../../scenarios/functions.js'
import { trialsOf } from '../testing/trials.js'

const workspace = createWorkspace()
afterAll(() => workspace.remove())

/** Those that would refuse requests if they were told the wrong thing. */
const asked = [
  ...(['jwt', 'authorizationClaims', 'authorizationHeaders', 'rateLimit', 'headers'] as const),
  ...(['externalAuthorization', 'mirror', 'oidc', 'globalRateLimit'] as const),
]

test('--function puts each on the path by itself, and the report says what each cost', async () => {
  workspace.writeConfig({ ...smallConfig, arms: { reference: ['l7-per-node'] }, rounds: { min: 1, max: 1 } })
  const { code, stderr } = await workspace.meshbench('run', '--out', 'out', '--function', ...asked)
  expect([stderr, code]).toEqual(['', 0])
  const { entries } = workspace.journal('out')
  const trials = trialsOf(entries)
  const priced = new Set<string>()
  for (const name of ['plain', ...asked]) {
    const own = trials.filter(({ cell }) => cell.includes(`|reference/l7-per-node@${name}|`))
    expect([name, own.length > 0]).toEqual([name, true])
    for (const { load, state, error } of own) {
      // A token that was not sent, a limit too low or a rule that matches nothing would be an error here.
      expect([name, error, load?.ok]).toEqual([name, undefined, load?.sent])
      // A busy machine may make a trial invalid, for which there is no price then.
      if (state === 'ok') priced.add(name)
    }
  }
  const page = readFileSync(workspace.path('out/report.html'), 'utf8')
  const table = page.slice(page.indexOf('What each function costs by itself'))
  for (const name of asked) {
    if (priced.has('plain') && priced.has(name)) expect(table).toContain(functions[name].title)
  }
  if (priced.has('plain') && priced.has('externalAuthorization')) expect(table).toContain('authorizer: ')
  if (priced.has('plain') && priced.has('mirror')) expect(table).toContain('mirror: ')
  expect(priced.size).toBeGreaterThan(1)
}, 180_000)
