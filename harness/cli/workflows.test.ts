/** The action and the workflows cannot run here, but what they name must exist: inputs, scripts, verbs and flags. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { packageRoot } from '../process/package-root.js'

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly shell?: string
  readonly with?: Readonly<Record<string, unknown>>
}
interface Action {
  readonly inputs: Readonly<Record<string, { readonly description?: string }>>
  readonly runs: { readonly using: string; readonly steps: readonly Step[] }
}
interface Workflow {
  readonly on: unknown
  readonly permissions: unknown
  readonly jobs: Readonly<Record<string, { readonly 'runs-on': string; readonly steps: readonly Step[] }>>
}

const read = (path: string) => readFileSync(join(packageRoot, path), 'utf8')
const actionPath = '.github/actions/meshbench'
const actionText = read(`${actionPath}/action.yml`)
const action = parse(actionText) as Action
const cli = read('harness/cli.ts') + read('harness/config/flags.ts')
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
const workflows = ['.github/workflows', '.github/examples'].flatMap((folder) =>
  readdirSync(join(packageRoot, folder)).map((name) => `${folder}/${name}`),
)

/** Flags in a text that the command line does not know. */
const unknownFlags = (text: string) =>
  [...text.matchAll(/(?:^|\s)(--[a-z][a-z-]*)/gm)]
    .map(([, flag = '']) => flag)
    .filter((flag) => !cli.includes(`'${flag}`) && !cli.includes(`, ${flag} `))

function checkSteps(steps: readonly Step[]): void {
  for (const { uses, run, with: given = {} } of steps) {
    expect([uses, run].filter((step) => step !== undefined)).toHaveLength(1)
    if (uses === `./${actionPath}`) {
      expect(Object.keys(given).filter((input) => !(input in action.inputs))).toEqual([])
      expect(unknownFlags(typeof given.flags === 'string' ? given.flags : '')).toEqual([])
    } else if (uses !== undefined) expect(uses).toMatch(/^[\w-]+\/[\w-]+@v\d/)
    for (const [, script = '', flags = ''] of (run ?? '').matchAll(/npm run ([\w:]+)(?: -- (.*))?/g)) {
      expect(Object.keys(scripts)).toContain(script)
      if (script === 'bench' || script === 'meshbench') expect(unknownFlags(flags)).toEqual([])
      if (script === 'meshbench') expect(cli).toContain(`.command('${flags.split(' ')[0] ?? ''}')`)
    }
  }
}

describe('the composite action', () => {
  it('is whole: every input that it names is declared and described, every script has a shell', () => {
    expect(action.runs.using).toBe('composite')
    for (const [, input = ''] of actionText.matchAll(/inputs\.([\w-]+)/g))
      expect(action.inputs).toHaveProperty(input)
    for (const { description } of Object.values(action.inputs)) expect(description).toBeTruthy()
    for (const { run, shell } of action.runs.steps) if (run !== undefined) expect(shell).toBe('bash')
    checkSteps(action.runs.steps)
  })

  it('puts no input into the text of a script, where it could run', () => {
    for (const { run = '' } of action.runs.steps) expect(run).not.toContain('${{')
  })

  it('uploads the report and the journal even when a threshold failed', () => {
    expect(actionText).toMatch(/upload-artifact@v4\n\s+if: always\(\)/)
    expect(actionText).toMatch(/report\.html[\s\S]*journal\.jsonl/)
  })
})

describe('workflows', () => {
  it.each(workflows)('%s names what exists', (path) => {
    const workflow = parse(read(path)) as Workflow
    expect(workflow.on).toBeTruthy()
    expect(workflow.permissions).toBeTruthy()
    for (const job of Object.values(workflow.jobs)) {
      expect(job['runs-on']).toBeTruthy()
      checkSteps(job.steps)
    }
  })
})
